"""The examples run, offline, and stay short."""

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ARGUMENTS = {
    "push_to_talk.py": ["fixtures/two-tools.wav", "6"],
    "spoken_talk.py": ["fixtures/two-tools.wav", "{reply}"],
    "typed_talk.py": ["Is memory on?"],
}
PRINTS = {
    "push_to_talk.py": "you: Is memory on, and is there a local hotline?",
    "spoken_talk.py": "1. 'Is memory on, and is there a local hotline?'",
    "typed_talk.py": "assistant: ",
}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
async def test_an_example_runs(example, tmp_path):
    arguments = [argument.format(reply=tmp_path / "reply.wav") for argument in ARGUMENTS[example.name]]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, str(example), *arguments],
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    assert PRINTS[example.name] in printed.decode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_at_most_100_lines(example):
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 100
