"""load_therapeutic_response_skill: six styles, each with each approach."""

from __future__ import annotations

import itertools
import re
from importlib import resources
from typing import Any, get_args

import pytest

from couchvoice.backend.approaches import Approach
from couchvoice.backend.skills import ResponseStyle, skill_context
from tests.backend.ends import BackendEnd, error_code

STYLES: tuple[Any, ...] = get_args(ResponseStyle)
APPROACHES: tuple[Any, ...] = get_args(Approach)
NAME = "load_therapeutic_response_skill"


@pytest.mark.row("H8")
async def test_each_style_is_loaded_in_either_mode_and_gives_the_turn_its_style(backend: BackendEnd) -> None:
    assert set(STYLES) == {"supportive", "reflective", "clarifying", "psychoeducation", "closing", "technique"}
    mode = {"memory_mode": "persistent", "user_id": "ada"}
    for number, style in enumerate(STYLES):
        reply = (await backend.tool(NAME, arguments={"response_style": style})).json()
        output = (await backend.tool(NAME, arguments={"response_style": style}, **mode)).json()["output"]
        assert output == reply["output"]
        assert output["skill_context"] == skill_context(style)
        assert (output["side_effect"], output["retry_safe"]) == ("none", True)
        assert reply["private_fields"] == ["skill_context"]
        call = {"tool_name": NAME, "status": "completed", "output": output}
        await backend.turn(user_text="x", tool_calls=[call], client_turn_id=str(number), **mode)
    history = (await backend.http.get("/api/threads/t1/history", params={"user_id": "ada"})).json()
    assert [turn["response_style"] for turn in history["turns"]] == list(STYLES)
    assert {turn["route"] for turn in history["turns"]} == {"therapeutic"}


@pytest.mark.row("H8")
async def test_an_approach_is_laid_over_the_style(backend: BackendEnd) -> None:
    texts = {}
    for style, approach in itertools.product(STYLES, APPROACHES):
        arguments = {"response_style": style, "therapeutic_approach": approach}
        output = (await backend.tool(NAME, arguments=arguments)).json()["output"]
        assert output["skill_context"].startswith(f"{skill_context(style)}\n\n## With ")
        texts[style, approach] = output["skill_context"]
    assert len(set(texts.values())) == len(STYLES) * len(APPROACHES)
    assert max(map(len, texts.values())) < 1500


@pytest.mark.row("H8")
@pytest.mark.parametrize(
    "arguments",
    [
        {"response_style": "hypnotic"},
        {"response_style": "supportive", "therapeutic_approach": "reiki"},
        {"response_style": "../styles/supportive"},
        {"response_style": ""},
        {"therapeutic_approach": "cbt"},
        {},
    ],
    ids=str,
)
async def test_what_nobody_knows_is_an_error_of_the_tool(backend: BackendEnd, arguments: dict[str, str]) -> None:
    reply = await backend.tool(NAME, arguments=arguments)
    assert (reply.status_code, error_code(reply)) == (422, "invalid_arguments")


@pytest.mark.row("H8")
def test_there_is_a_file_for_each_and_no_file_besides() -> None:
    package = resources.files("couchvoice.backend.skills")
    for folder, names in (("styles", STYLES), ("approaches", APPROACHES)):
        assert {file.name for file in package.joinpath(folder).iterdir()} == {f"{name}.md" for name in names}


@pytest.mark.row("H8")
@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_short_says_what_not_to_do_and_names_only_tools_that_there_are(style: Any) -> None:
    text = skill_context(style)
    assert len(text) < 900
    assert "\nNot: " in text
    assert set(re.findall(r"\b\w+_\w+\b", text)) <= {"answer_grounded_lookup", "start_guided_exercise"}
