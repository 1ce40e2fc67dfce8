"""Modes: files of their own, held to by every session that is in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend.modes.mode import ALWAYS
from couchvoice.backend.modes.mode_file import MAX_PROMPT, read_modes
from couchvoice.backend.modes.persona import persona_from
from couchvoice.backend.tools import STANDARD_TOOLS
from couchvoice.errors import ConfigError
from tests.backend.ends import BackendEnd, error_code, running_backend

TOOLS = frozenset(tool.name for tool in STANDARD_TOOLS)
EXERCISES = {tool for tool in TOOLS if "exercise" in tool}

INTERVIEWER = """\
prompt: |
  Mode interviewer: ask about their work, one question at a time.
persona: {seed: 7}
tools: [show_memory_status]
voice: ash
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "modes"
    folder.mkdir()
    (folder / "interviewer.yaml").write_text(INTERVIEWER, encoding="utf-8")
    return folder


def names(session: dict[str, Any]) -> set[str]:
    return {tool["name"] for tool in session["tools"]}


@pytest.mark.row("L10")
async def test_a_session_is_opened_in_a_mode_of_a_file(tmp_path: Path, folder: Path) -> None:
    async with running_backend(tmp_path / "state", modes_dir=folder) as backend:
        config = (await backend.session(mode="interviewer")).json()["session_config"]
        asked = (await backend.session(mode="interviewer", assistant_voice="verse")).json()["session_config"]
        usual = (await backend.session()).json()["session_config"]
        assert backend.provider.requests[0][1]["session"] == config
    assert (
        f"# Manner\nMode interviewer: ask about their work, one question at a time.\n{persona_from('7')}"
        in (config["instructions"])
    )
    assert "Mode companion" not in config["instructions"]
    assert names(config) == {"show_memory_status", *ALWAYS}
    assert config["audio"]["output"]["voice"] == "ash"
    assert asked["audio"]["output"]["voice"] == "verse"
    assert (usual["audio"]["output"]["voice"], names(usual) >= EXERCISES) == ("marin", True)


@pytest.mark.row("L10", "D9")
async def test_a_running_session_is_switched_with_tools_instructions_and_voice(backend: BackendEnd) -> None:
    token = (await backend.session()).json()["session_token"]
    change = (await backend.config(mode="guide", token=token)).json()["session"]
    opened = (await backend.session("t2", mode="guide")).json()["session_config"]
    assert change["instructions"].replace('"t1"', '"t2"') == opened["instructions"]
    assert change["tools"] == opened["tools"]
    assert (
        change["audio"] == {"output": {"voice": opened["audio"]["output"]["voice"]}} == {"output": {"voice": "cedar"}}
    )
    own = (await backend.config(mode="guide", voice="ash", token=token)).json()["session"]
    assert own["audio"] == {"output": {"voice": "ash"}}
    back = (await backend.config(mode="companion", token=token)).json()["session"]
    assert back.keys() == {"type", "tools", "instructions"}


@pytest.mark.row("L10")
@pytest.mark.parametrize("mode", ["companion", "listener", "guide"])
@pytest.mark.parametrize("memory_mode", ["incognito", "persistent"])
async def test_no_mode_goes_without_the_tools_for_silence_and_danger(
    backend: BackendEnd, mode: str, memory_mode: str
) -> None:
    config = (await backend.session(mode=mode, memory_mode=memory_mode)).json()["session_config"]
    assert names(config) >= ALWAYS
    leads = "record_guided_exercise_progress" in names(config)
    assert leads is (mode != "listener")
    assert ("start_guided_exercise begins one" in config["instructions"]) is leads


@pytest.mark.row("L10")
async def test_a_mode_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path, folder: Path) -> None:
    async with running_backend(tmp_path / "state", modes_dir=folder) as backend:
        reply = await backend.session(mode="pirate")
        assert (reply.status_code, error_code(reply)) == (422, "unknown_mode")
        assert "companion, guide, interviewer, listener" in reply.json()["detail"]["message"]
        assert not backend.provider.requests


@pytest.mark.row("L10")
def test_a_mode_of_ones_own_goes_before_a_shipped_one_of_the_same_name(folder: Path) -> None:
    (folder / "companion.yaml").write_text("prompt: Mine.\n", encoding="utf-8")
    modes = read_modes(folder, tools=TOOLS)
    assert modes["companion"].manner == "Mine."
    assert modes.keys() == {"companion", "guide", "interviewer", "listener"}


@pytest.mark.row("L10")
def test_the_shipped_modes_name_tools_that_there_are() -> None:
    for mode in read_modes(None, tools=TOOLS).values():
        assert (mode.tools or frozenset()) <= TOOLS


MISTAKES = {
    "no prompt": ("voice: ash\n", "line 1: a mode needs a prompt"),
    "an empty prompt": ("prompt: ''\n", "line 1: a text of 1 to"),
    "a prompt without end": (f"prompt: {'x' * (MAX_PROMPT + 1)}\n", f"line 1: a text of 1 to {MAX_PROMPT}"),
    "an unknown key": ("prompt: x\ncolour: blue\n", "line 2: unknown key 'colour': a mode has prompt, persona"),
    "an unknown tool": ("prompt: x\ntools:\n- wait_for_user\n- juggle\n", "line 4: there is no tool 'juggle'"),
    "tools are no list": ("prompt: x\ntools: all\n", "line 2: expected a list"),
    "an unknown voice": ("prompt: x\nvoice: nova\n", "line 2: unknown voice 'nova': choose one of alloy"),
    "a persona of something": ("prompt: x\npersona: {colour: blue}\n", "line 2: unknown key 'colour'"),
    "a persona of nothing": ("prompt: x\npersona: {}\n", "line 2: a persona is a text, or {seed"),
    "a list": ("- prompt\n", "line 1: expected keys and values"),
    "no YAML": ("prompt: [\n", "line 2: "),
    "nothing": ("", "there is nothing in it"),
}


@pytest.mark.row("L10")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_mode_is_named_with_its_file_and_line(folder: Path, mistake: str) -> None:
    text, expected = MISTAKES[mistake]
    (folder / "broken.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_modes(folder, tools=TOOLS)
    assert "broken.yaml" in str(refused.value)
    assert expected in str(refused.value)


@pytest.mark.row("L10")
def test_a_folder_or_a_name_that_cannot_be_is_said_so(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        read_modes(folder / "nowhere", tools=TOOLS)
    (folder / "My Mode.yaml").write_text("prompt: x\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="called by its file"):
        read_modes(folder, tools=TOOLS)


@pytest.mark.row("L10")
def test_a_persona_is_the_same_whenever_it_is_made_from_the_same_seed() -> None:
    assert persona_from(7) == persona_from("7") == KNOWN_BY_HEART
    made = {persona_from(seed) for seed in range(200)}
    assert len(made) > 190
    assert max(map(len, made)) < 400


KNOWN_BY_HEART = (
    "Your name is Lou. You are calm, and you speak in short sentences. You like stars, and mention it "
    "only when it fits. You often name what went well before what did not. You say that you are a program"
    " whenever that matters."
)
