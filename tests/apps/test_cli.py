"""The command line: its help, its version, and options that contradict each other."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

import couchvoice
from couchvoice.apps.cli import app
from couchvoice.contract import VOICES
from tests.apps.command import run


def _commands(group: object, names: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [names]
    if isinstance(group, TyperGroup):
        for name, command in group.commands.items():
            found += _commands(command, (*names, name))
    return found


COMMANDS = _commands(typer.main.get_command(app))


@pytest.mark.parametrize("names", COMMANDS, ids=lambda names: " ".join(names) or "couchvoice")
async def test_each_command_explains_itself(names: tuple[str, ...]) -> None:
    ended = await run(*names, "--help")
    assert ended.status == 0
    assert ended.stdout.lstrip().startswith("Usage:")
    assert ended.stderr == ""


async def test_the_version_is_that_of_the_package() -> None:
    ended = await run("--version")
    assert (ended.status, ended.stdout) == (0, f"couchvoice {couchvoice.__version__}\n")


async def test_without_a_command_the_help_is_shown() -> None:
    ended = await run()
    assert "Usage:" in ended.stdout + ended.stderr
    assert ended.status == 2


def test_the_help_of_talk_lists_the_voices() -> None:
    talk = typer.main.get_command(app).commands["talk"]  # type: ignore[attr-defined]  # it is a group
    (voice,) = [parameter for parameter in talk.params if parameter.name == "voice"]
    assert voice.help.endswith(f": {', '.join(VOICES)}.")


# Ctrl-C as a module is about to be imported, and where typer does not catch it.
INTERRUPTED = {
    "import": """
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "couchvoice.apps.talk":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
""",
    "start": "cli.app = lambda: signal.raise_signal(signal.SIGINT)",
}


@pytest.mark.parametrize("code", INTERRUPTED.values(), ids=INTERRUPTED)
async def test_ctrl_c_while_it_starts_ends_it_without_a_traceback(code: str) -> None:
    program = f"import signal, sys\nfrom couchvoice.apps import cli\n{code}\ncli.main()"
    ended = await run("talk", "--demo", "--plain", before=(sys.executable, "-c", program))
    assert (ended.status, ended.stdout) == (130, "")


UNKNOWN = [
    pytest.param(("talk", "--speak-up"), "--speak-up", id="option"),
    pytest.param(("shout",), "shout", id="command"),
    pytest.param(("talk", "hello"), "hello", id="argument"),
    pytest.param(("talk", "--memory", "photographic"), "photographic", id="memory"),
    pytest.param(("talk", "--provider", "nobody"), "nobody", id="provider"),
    pytest.param(("talk", "--input"), "--input", id="option-without-its-value"),
    pytest.param(("serve", "realtime", "--port", "70000"), "--port", id="port"),
    pytest.param(("serve", "backend", "--port", "http"), "--port", id="port-by-name"),
]


@pytest.mark.parametrize(("arguments", "named"), UNKNOWN)
async def test_what_the_program_does_not_know_it_names(arguments: tuple[str, ...], named: str) -> None:
    ended = await run(*arguments)
    assert ended.status == 2
    assert named in ended.stderr
    assert ended.stdout == ""


async def test_plain_and_json_contradict_each_other() -> None:
    ended = await run("talk", "--demo", "--plain", "--json")
    assert ended.status == 2
    assert ended.error == "--plain and --json contradict each other: choose one"


async def test_demo_and_input_contradict_each_other(still: Path) -> None:
    ended = await run("talk", "--demo", "--input", str(still), "--plain")
    assert ended.status == 2
    assert ended.error == "--demo is its own input: leave out --input"


BAD_OPTIONS = [
    pytest.param(("--speed", "2"), "a speed of 2: choose one from 0.25 to 1.5", id="speed"),
    pytest.param(("--speed", "nan"), "a speed of nan: choose one from 0.25 to 1.5", id="speed-not-a-number"),
    pytest.param(
        ("--language", "Deutsch"), '"Deutsch" is no code of a language: write en, de, pt-BR, or auto', id="language"
    ),
]


@pytest.mark.row("D10", "D13")
@pytest.mark.parametrize(("arguments", "sentence"), BAD_OPTIONS)
async def test_what_no_provider_takes_is_refused_before_anything_is_opened(
    arguments: tuple[str, ...], sentence: str
) -> None:
    ended = await run("talk", "--demo", "--plain", *arguments)
    assert ended.status == 2
    assert ended.error == sentence
    assert "connecting" not in ended.stdout


BAD_ENVIRONMENT = [
    ("COUCHVOICE_LOG", "loud", r'COUCHVOICE_LOG is "loud": choose one of debug, info, warning, error'),
    ("COUCHVOICE_PROVIDER", "nobody", r'unknown provider "nobody": choose one of local, openai, azure'),
    ("COUCHVOICE_STATE_DIR", "~nobody-of-this-name/state", r"the path .* names a user .*"),
]


@pytest.mark.parametrize(("variable", "value", "sentence"), BAD_ENVIRONMENT, ids=[row[0] for row in BAD_ENVIRONMENT])
async def test_a_variable_that_cannot_be_is_named(variable: str, value: str, sentence: str) -> None:
    ended = await run("talk", "--demo", environment={variable: value})
    assert ended.status == 2
    assert re.fullmatch(sentence, ended.error)


async def test_servers_read_the_same_settings() -> None:
    ended = await run("serve", "realtime", environment={"COUCHVOICE_LOG": "loud"})
    assert ended.status == 2
    assert ended.error.startswith('COUCHVOICE_LOG is "loud"')


BAD_FILES = [
    pytest.param(b"provider = ", "cannot read the settings file", id="no-toml"),
    pytest.param(b'colour = "red"', "unknown setting 'colour'", id="unknown-name"),
    pytest.param(b"provider = 7", "setting 'provider'", id="no-text-value"),
]


@pytest.mark.parametrize(("contents", "sentence"), BAD_FILES)
async def test_a_settings_file_that_cannot_be_used_is_named(contents: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(contents)
    ended = await run("talk", "--demo", environment={"COUCHVOICE_CONFIG": str(file)})
    assert ended.status == 2
    assert sentence in ended.error


@pytest.mark.row("B8", "B9")
async def test_a_talk_without_its_microphone_ends_at_once_with_one_line_and_status_3() -> None:
    ended = await run("talk", "--input", "no such microphone")
    assert ended.status == 3
    assert ended.error.startswith(("no input device", "no PortAudio library", "the microphone may not be used"))


async def test_the_sound_devices_are_listed_or_what_is_missing_is_said() -> None:
    ended = await run("devices")
    if ended.status:
        assert ended.status == 3
        assert ended.error
