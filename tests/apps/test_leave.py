"""The process is gone in time, whatever hangs: a name server that never answers holds a thread that nobody can end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.apps.command import started
from tests.e2e.minimal_backend import MinimalBackend
from tests.patience import until
from tests.transports.answering_peer import SECRET

pytestmark = pytest.mark.timeout(60)

SOON = 0.5  # seconds from the signal, or from the talk's last word
NOISE = 1.0  # seconds: the machine is busy with other tests

_NOBODY_KNOWS = """
import socket, sys, time
def ask(*question, **options):
    print("asking", file=sys.stderr, flush=True)
    time.sleep(60)
socket.getaddrinfo = ask
from couchvoice.apps.cli import main
main()
"""
_SLOW_TO_END = """
import time
class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(60)
slow = Slow()
from couchvoice.apps.cli import main
main()
"""
_NOHUP = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from couchvoice.apps.cli import main
main()
"""


@pytest.mark.row("A10")
async def test_ctrl_c_while_a_name_is_looked_up_that_nobody_knows(still: Path):
    talk = ("talk", "--backend", "https://backend.example", "--input", str(still), "--output", "none", "--json")
    async with started(*talk, before=(sys.executable, "-c", _NOBODY_KNOWS)) as command:
        await until(lambda: "asking" in command.stderr(), within=20.0)
        command.send(signal.SIGINT)
        ended = await command.ended()
    assert ended.status == 130
    assert ended.seconds < SOON + NOISE


async def test_a_name_that_nobody_knows_is_an_error_after_which_the_process_is_gone(still: Path):
    talk = ("talk", "--backend", "https://backend.example", "--input", str(still), "--output", "none", "--json")
    async with started(*talk, before=(sys.executable, "-c", _NOBODY_KNOWS)) as command:
        await command.line_with(type="summary")
        ended = await command.ended()
    assert ended.status == 4
    assert ended.of("error")[0]["code"] == "backend_unreachable"
    assert ended.seconds < SOON + NOISE


async def test_a_talk_that_was_started_with_nohup_outlives_its_terminal(still: Path):
    with MinimalBackend(secret=SECRET, delays={"session": 60.0}) as backend:
        talk = ("talk", "--backend", backend.url, "--input", str(still), "--output", "none", "--json")
        async with started(*talk, before=(sys.executable, "-c", _NOHUP)) as command:
            await until(lambda: backend.order() == ["session"], within=20.0)
            command.send(signal.SIGHUP)
            command.send(signal.SIGTERM)
            ended = await command.ended()
    assert ended.status == 143


@pytest.mark.row("A10")
async def test_ctrl_c_does_not_wait_for_pythons_own_end():
    with MinimalBackend(secret=SECRET, delays={"session": 60.0}) as backend:
        talk = ("talk", "--backend", backend.url, "--text", "--json")
        async with started(*talk, before=(sys.executable, "-c", _SLOW_TO_END)) as command:
            await until(lambda: backend.order() == ["session"], within=20.0)
            command.send(signal.SIGINT)
            ended = await command.ended()
    assert ended.status == ended.summary["exit"] == 130
    assert ended.seconds < SOON + NOISE
