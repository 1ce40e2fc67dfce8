"""The examples run, offline, and stay short."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from couchvoice.scenario.script_file import read_scenarios

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
VOICE_TESTS = ROOT / "examples" / "voice_tests"
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


@pytest.mark.timeout(90)
@pytest.mark.row("P8")
async def test_the_example_of_voice_tests_runs_as_a_repository_of_its_own(tmp_path):
    """As somebody would have it who copied it: its settings are its own, and so is what it may import."""
    copy = tmp_path / "voice_tests"
    shutil.copytree(VOICE_TESTS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "pytest", "-q", "-p", "couchvoice"],
        cwd=copy,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    assert "4 passed" in printed.decode()


def test_the_workflow_of_the_example_runs_its_tests_and_its_talks():
    workflow = yaml.safe_load((VOICE_TESTS / ".github/workflows/voice.yml").read_text(encoding="utf-8"))
    runs = [step["run"] for step in workflow["jobs"]["talk"]["steps"] if "run" in step]
    assert [run.split()[:2] for run in runs] == [["pip", "install"], ["couchvoice", "run"], ["pytest", "-n"]]
    for file in (VOICE_TESTS / "talks").glob("*.yaml"):
        assert read_scenarios(file)


@pytest.mark.parametrize("example", [*EXAMPLES, *VOICE_TESTS.glob("*.py")], ids=lambda path: path.name)
def test_an_example_has_at_most_100_lines(example):
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 100
