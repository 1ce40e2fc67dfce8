"""The examples run, offline, and stay short."""

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ARGUMENTS = {
    "push_to_talk.py": ["fixtures/two-tools.wav", "6"],
    "show_chart.py": [
        "How did I sleep this week?",
        "How did my mood change?",
        "How far did I walk?",
        "What do I spend my evenings on?",
    ],
    "spoken_talk.py": ["fixtures/two-tools.wav", "{reply}"],
    "typed_talk.py": ["Is memory on?"],
}
PRINTS = {
    "push_to_talk.py": ["you: Is memory on, and is there a local hotline?"],
    "show_chart.py": [
        f" Mon  {'█' * 28}    7.5 ",
        "\n       ████             \n             ████       \n",  # the line goes up and down
        "\n       ████        ████ \n       ████  ████  ████ \n",  # the area stands on the ground
        f" friends     {'█' * 10}       33% ",
        "assistant: Here it is: Evenings.",
    ],
    "spoken_talk.py": ["1. 'Is memory on, and is there a local hotline?'"],
    "typed_talk.py": ["assistant: "],
}
ROWS = {"show_chart.py": ["F6", "F8"]}


def marked(example: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.row(*ROWS[example.name])] if example.name in ROWS else []


@pytest.mark.timeout(90)
@pytest.mark.parametrize("example", [pytest.param(path, id=path.name, marks=marked(path)) for path in EXAMPLES])
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
    for part in PRINTS[example.name]:
        assert part in printed.decode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_at_most_100_lines(example):
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 100
