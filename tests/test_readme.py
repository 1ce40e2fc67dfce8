"""The README cannot lie: its commands are run, its tables are compared with the program."""

import asyncio
import re
import shlex
import subprocess
import sys
import wave
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from pathlib import Path
from typing import get_args

import pytest
import typer.core
import typer.main

from couchvoice.apps.cli import app
from couchvoice.audio.portaudio import NO_PORTAUDIO
from couchvoice.contract import VOICES
from couchvoice.core.state import SessionState
from couchvoice.errors import ConnectTimeout, SdpExchangeError, Unavailable
from couchvoice.local.faults.faults import Faults
from couchvoice.scenario.named_weather import NAMED_WEATHER
from couchvoice.scenario.runner import run_scenario
from couchvoice.scenario.script import Command, Expect, HistoryCheck, Limits, Script, Step, TextCheck, TurnCheck
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.settings import _ALIASES, _ENVIRONMENT, load_settings
from couchvoice.transports.webrtc import CONNECT_TIMEOUT
from tests.local.serving import listening

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(beginning: str) -> list[str]:
    return [line for line in README.splitlines() if line.startswith(beginning)]


@pytest.mark.timeout(120)
@pytest.mark.row("B12", "O4")
async def test_the_first_command_holds_the_talk_that_the_readme_shows(tmp_path):
    install, _, talk = commands("python3 -m venv")[0].rpartition(" && ")
    assert install == "python3 -m venv .venv && .venv/bin/pip install -e '.[all]'"
    words = shlex.split(talk)
    assert words.pop(0) == ".venv/bin/couchvoice"
    words[words.index("--output") + 1] = str(tmp_path / "reply.wav")
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "couchvoice", *words],
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    shown = README.partition("persistent: the backend keeps")[2].partition("```")[0]
    assert process.returncode == 0, printed.decode()
    assert _without_figures("persistent: the backend keeps" + shown) == _without_figures(printed.decode())
    with wave.open(str(tmp_path / "reply.wav")) as reply:
        assert reply.getnframes() / reply.getframerate() > 20  # s, an unbroken timeline


def _without_figures(text: str) -> list[str]:
    return [re.sub(r"\d+ (ms|tokens|out)", r"N \1", line) for line in text.strip().splitlines()]


def test_the_second_command_is_the_one_of_ci():
    command = commands("python3 -m venv")[1]
    assert command == "python3 -m venv .venv && .venv/bin/pip install -e '.[all,test]' && .venv/bin/pytest"
    assert "python3 -m venv .*pytest" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_table_of_talk_names_each_option_and_no_other():
    talk = typer.main.get_command(app).commands["talk"]
    assert options_in_table_of("talk") == options_of(talk)


def test_the_table_of_run_names_each_option_and_no_other():
    assert options_in_table_of("run") == options_of(typer.main.get_command(app).commands["run"])


def test_the_guide_to_scripts_names_each_step_each_expectation_and_each_field():
    guide = README.partition("### Scripted conversations")[2].partition("| Option of `run`")[0]
    steps = {
        word
        for row in guide.partition("| Step |")[2].partition("\n\n")[0].splitlines()
        for word in re.findall(r"`(\w+)`", row.partition(" | ")[0])
    }
    assert steps == {*Step.__struct_fields__, *get_args(Command)}
    named = set(re.findall(r"`(\w+)`", guide.partition("`expect` knows")[2])) | {"name", "description", "steps"}
    parts = (Expect, TextCheck, TurnCheck, HistoryCheck, Limits, Script)
    assert {field for part in parts for field in part.__struct_fields__} - named == {"weather", "faults"}


@pytest.mark.row("L7")
def test_the_scenario_that_the_readme_shows_passes(tmp_path):
    (shown,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "steps:" in block)
    (tmp_path / "shown.yaml").write_text(shown)
    (scenario,) = read_scenarios(tmp_path / "shown.yaml")
    assert run_scenario(scenario, load_settings()).outcome.error is None


@pytest.mark.parametrize("end", ["realtime", "backend"])
def test_the_table_of_a_server_names_each_option_and_no_other(end):
    serve = typer.main.get_command(app).commands["serve"].commands[end]
    assert options_in_table_of(f"serve {end}") == options_of(serve)


def options_in_table_of(command: str) -> set[str]:
    table = README.partition(f"| Option of `{command}` |")[2].partition("\n\n")[0]
    return {option for row in table.splitlines() for option in re.findall(r"`(--[a-z-]+)", row.partition(" | ")[0])}


def options_of(command: typer.core.TyperCommand) -> set[str]:
    named = (option for parameter in command.params for option in parameter.opts)
    return {option for option in named if option.startswith("--")} - {"--help"}


def test_the_table_of_faults_names_each_fault_and_no_other():
    table = README.partition("| Fault |")[2].partition("\n\n")[0]
    documented = {fault for row in table.splitlines() for fault in re.findall(r"`([a-z_]+)`", row.partition(" | ")[0])}
    assert documented == set(Faults.__struct_fields__)


def test_the_table_of_weather_names_each_one_and_no_other():
    table = README.partition("| Weather |")[2].partition("\n\n")[0]
    documented = {name for row in table.splitlines() for name in re.findall(r"`([a-z_]+)`", row.partition(" | ")[0])}
    assert documented == set(NAMED_WEATHER)


def test_the_table_of_settings_names_each_variable_and_no_other():
    names = r"`((?:COUCHVOICE|OPENAI|AZURE|REALTIME)_[A-Z_]+)`"
    documented = set(re.findall(names, README.partition("## Settings")[2]))
    assert documented == {*_ENVIRONMENT.values(), *_ALIASES, "COUCHVOICE_CONFIG"}


def test_states_and_voices_are_those_of_the_program():
    assert ", ".join(state.value for state in SessionState) in README
    assert " ".join(VOICES) in README


@pytest.mark.parametrize("command", sorted({line.split("#")[0].strip() for line in commands("couchvoice ")}))
def test_the_options_of_each_command_shown_exist(command):
    words = [word for word in shlex.split(command)[1:] if word != ">"]
    names = [word for word in words[:2] if not word.startswith("-")]
    names = names if names[0] in ("serve", "threads", "memory") else names[:1]
    done = subprocess.run(
        [sys.executable, "-m", "couchvoice", *names, "--help"], capture_output=True, text=True, check=True
    )
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout


def test_the_messages_in_the_table_of_troubles_are_those_of_the_program():
    said = [
        NO_PORTAUDIO,
        str(Unavailable("URL", None, "code", "why")),
        str(Unavailable("URL", 503, "realtime_unavailable", "why")),
        str(SdpExchangeError("URL", 401, "why")),
        str(ConnectTimeout("open data channel", CONNECT_TIMEOUT)),
        # Their sentences are tested where they are made: tests/audio/test_devices.py, tests/apps/test_bad_input.py.
        "no input device matches",
        "no text beside my.wav",
    ]
    table = README.partition("## When something is wrong")[2].partition("## ")[0]
    symptoms = re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    assert len(symptoms) == len(said)
    for symptom in symptoms:
        beginning = symptom.partition("…")[0].strip()
        assert any(sentence.startswith(beginning) for sentence in said), symptom


def test_each_file_named_in_the_readme_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.row("O6")
async def test_the_openai_package_talks_to_the_local_server_as_the_readme_shows():
    (shown,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "AsyncOpenAI" in block)
    ending = "\n    async for event in connection:\n        if event.type == 'response.done': break\n"
    async with listening() as place:
        code = compile(shown.replace("127.0.0.1:8766", place) + ending, "README", "exec", PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names: dict[str, object] = {}
        await eval(code, names)
        await names["client"].close()
    assert names["secret"].value.startswith("ek_")
    assert names["event"].response.status == "completed"


@pytest.mark.row("P17")
def test_a_talk_runs_faster_than_real_time_as_the_readme_shows(monkeypatch, capsys):
    (shown,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "media_clock" in block)
    monkeypatch.chdir(ROOT)
    exec(compile(shown, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert all(line in said for line in (ROOT / "fixtures" / "barge-in.txt").read_text(encoding="utf-8").splitlines())
