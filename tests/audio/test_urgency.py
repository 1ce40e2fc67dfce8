"""The card's thread: what it asks of the system, and that nothing is lost by asking."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.speaker import Speaker
from couchvoice.audio.urgency import hurry
from tests.audio.clock import run_skipping
from tests.audio.fake_cards import FakeCard

ORDINARY = 65_534  # nobody, on Debian

AS_AN_ORDINARY_USER = f"""
import os, resource
from couchvoice.audio.urgency import hurry
for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE):
    resource.setrlimit(limit, (0, 0))
os.setresuid(*[{ORDINARY}] * 3)
before = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
hurry()
assert (os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)) == before
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="the others' cards see to it themselves")


def in_a_thread(work) -> list:
    told: list = []
    thread = threading.Thread(target=lambda: told.append(work()))
    thread.start()
    thread.join()
    return told


def standing() -> tuple[int, int]:
    return os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)


@linux
def test_only_the_thread_that_asks_goes_before_others():
    def ask() -> bool:
        before = standing()
        hurry()
        return standing() != before

    def may() -> bool:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -1)
        except OSError:
            return False
        return True

    ours = standing()
    assert in_a_thread(ask) == in_a_thread(may)
    assert standing() == ours


@linux
@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is no ordinary user must become one")
def test_an_ordinary_user_is_refused_and_not_told():
    done = subprocess.run([sys.executable, "-c", AS_AN_ORDINARY_USER], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_stream_asks_once_and_from_its_callback(install, monkeypatch):
    asked = []
    install(FakeCard("hall", rate=SAMPLE_RATE, outputs=1))
    monkeypatch.setattr("couchvoice.audio.card.hurry", lambda: asked.append(threading.current_thread()))

    async def main() -> None:
        speaker = Speaker()
        await speaker.open(PlayoutBuffer())
        await asyncio.sleep(0.1)  # of the clock that jumps
        await speaker.close()

    run_skipping(main())
    assert len(asked) == 1
