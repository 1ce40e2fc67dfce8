"""A machine without a network: the talk is held all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from couchvoice.settings import load_settings
from tests.apps.command import PROGRAM, run
from tests.apps.traces import found
from tests.requirements import require

pytestmark = pytest.mark.timeout(60)

QUESTION = "Hello, can you hear me?"
ANSWER = "Yes, I can hear you well."

_ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


@pytest.fixture(scope="module")
def alone() -> tuple[str, ...]:
    """What stands before a command that shall see the loopback and nothing else."""
    has_tools = shutil.which("unshare") and shutil.which("ip")
    require(has_tools and os.geteuid() == 0, "network namespaces: root, unshare and iproute2")
    made = subprocess.run([*_ALONE, "ip", "-brief", "link"], capture_output=True, text=True, check=False)
    require(made.returncode == 0, f"network namespaces: {made.stderr.strip()}")
    assert [line.split()[0] for line in made.stdout.splitlines() if " UP" in line or "UNKNOWN" in line] == ["lo"]
    return _ALONE


@pytest.mark.row("O4", "K1")
async def test_a_talk_without_a_network_is_held_recorded_and_finalized(hello: Path, alone: tuple[str, ...]) -> None:
    talk = ("talk", "--input", str(hello), "--output", "none", "--memory", "persistent", "--json")
    ended = await run(*talk, before=(*alone, *PROGRAM))
    assert ended.status == 0, ended.stdout + ended.stderr
    (turn,) = ended.of("turn")
    assert (turn["user_text"], turn["outcome"], turn["recorded"]) == (QUESTION, "completed", True)
    assert turn["assistant_text"].startswith(ANSWER)
    assert (ended.summary["recorded"], ended.summary["finalized"]) == (1, True)
    assert ended.of("error") == []
    for phrase in (QUESTION, ANSWER):
        assert found(phrase, load_settings().state_dir) != []
