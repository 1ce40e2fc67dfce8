"""POST /tools, and the three first tools."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend.tools import ToolRegistry, tool
from tests.backend.ends import BackendEnd, error_code, running_backend

SPOKEN = "the zebra under the piano hums"


@tool(modes={"persistent"}, side_effect="memory")
async def keep_note(title: str, weight: float = 1.0) -> dict[str, Any]:
    """Keep a note."""
    return {"kept": title}


@tool
async def broken() -> dict[str, Any]:
    """Break."""
    raise RuntimeError(SPOKEN)


@pytest.mark.row("F2")
async def test_wait_for_user_says_nothing_and_wants_no_response(backend: BackendEnd) -> None:
    reply = await backend.tool("wait_for_user", call_id="call_1", arguments={})
    assert reply.json() == {
        "output": {"response_text": "", "should_respond": False, "side_effect": "none", "retry_safe": True}
    }


class UntouchableStore:
    """Whatever is asked of it fails the request."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)

    async def close(self) -> None:
        pass


@pytest.mark.row("K1", "K2")
async def test_incognito_never_touches_the_store(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", store=UntouchableStore()) as backend:
        replies = [
            await backend.session(),
            await backend.tool("show_memory_status", user_id="ada"),
            await backend.tool("show_memory_status", "t2"),
            await backend.turn(user_text="hello"),
            await backend.end(),
        ]
        assert {reply.status_code for reply in replies} == {200}
        assert replies[1].json() == replies[2].json()
        assert "Nothing of it is kept" in replies[1].json()["output"]["response_text"]
        assert (await backend.turn("t3", user_text="hello", memory_mode="persistent")).status_code == 500


async def test_memory_status_counts_what_the_owner_has_and_nobody_else(backend: BackendEnd) -> None:
    mode = {"memory_mode": "persistent"}
    empty = (await backend.tool("show_memory_status", user_id="ada", **mode)).json()["output"]
    assert (empty["saved_sessions"], empty["saved_turns"]) == (0, 0)
    assert not backend.data.exists()
    await backend.turn(user_text="hello", user_id="ada", **mode)
    await backend.end(user_id="ada", **mode)
    await backend.turn(user_text="hello", user_id="ada", **mode)
    await backend.turn("t2", user_text="hello", user_id="eve", **mode)
    status = (await backend.tool("show_memory_status", user_id="ada", **mode)).json()["output"]
    assert (status["saved_sessions"], status["saved_turns"]) == (1, 2)
    assert status["proactive_recall_enabled"] is False
    assert "1 finished session and 2 turns" in status["response_text"]


async def test_crisis_lines_come_from_the_users_own_words(backend: BackendEnd) -> None:
    transcript = [
        {"role": "user", "content": "I live in Ireland.", "item_id": "item_1"},
        {"role": "assistant", "content": "I could look for France."},
    ]
    output = (
        await backend.tool("lookup_crisis_resources", current_user_message="Who can I call?", transcript=transcript)
    ).json()["output"]
    assert output["resource_lookup_status"] == "found"
    assert output["inferred_location"] == "Ireland"
    assert [(line["phone"], line["region"]) for line in output["found_resources"]] == [("116 123", "Ireland")]
    assert output["found_resources"][0]["url"].startswith("https://")
    assert "116 123" in output["response_text"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Who can I call?", "no_location"),
        ("I'd rather not say where I live", "location_refused"),
        ("I live in Mongolia", "no_verified_results"),
        ("", "not_attempted"),
    ],
)
async def test_without_a_country_no_number_is_said(backend: BackendEnd, said: str, status: str) -> None:
    output = (await backend.tool("lookup_crisis_resources", current_user_message=said)).json()["output"]
    assert output["resource_lookup_status"] == status
    assert output["found_resources"] == []
    assert not any(letter.isdigit() for letter in output["response_text"])
    assert "emergency number" in output["response_text"]


async def test_an_unknown_tool_is_not_found(backend: BackendEnd) -> None:
    reply = await backend.tool(SPOKEN)
    assert reply.status_code == 404
    assert error_code(reply) == "unknown_tool"
    assert SPOKEN not in reply.text


@pytest.mark.row("F5")
@pytest.mark.parametrize("arguments", [{"country": SPOKEN}, {"": 1}, {"a": {"b": [1]}}])
async def test_arguments_that_break_the_schema_are_refused_and_not_repeated(
    backend: BackendEnd, arguments: dict[str, Any]
) -> None:
    reply = await backend.tool("wait_for_user", arguments=arguments)
    assert reply.status_code == 422
    assert error_code(reply) == "invalid_arguments"
    assert SPOKEN not in reply.text


@pytest.mark.row("F5")
@pytest.mark.parametrize("arguments", [{"inferred_location": SPOKEN}, {"risk_level": SPOKEN}, {"risk_level": None}])
async def test_arguments_that_break_the_schema_are_named(backend: BackendEnd, arguments: dict[str, Any]) -> None:
    reply = await backend.tool("get_crisis_support_template", arguments=arguments)
    assert reply.json()["detail"]["message"].endswith("do not fit its schema: risk_level")
    assert SPOKEN not in reply.text


@pytest.mark.row("F5")
async def test_a_tool_that_breaks_answers_500_without_its_own_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_backend(tmp_path / "state", tools=ToolRegistry([broken])) as backend:
        reply = await backend.tool("broken")
    assert reply.status_code == 500
    assert error_code(reply) == "voice_realtime_tool_failed"
    assert "RuntimeError at " in caplog.text
    assert SPOKEN not in reply.text + caplog.text


@pytest.mark.row("F5")
async def test_a_tool_that_hangs_is_cut_off(tmp_path: Path) -> None:
    @tool(deadline=0.01)
    async def hang() -> None:
        """Hang."""
        await asyncio.Event().wait()

    async with running_backend(tmp_path / "state", tools=ToolRegistry([hang])) as backend:
        reply = await backend.tool("hang")
    assert (reply.status_code, error_code(reply)) == (500, "tool_timeout")


async def test_a_persistent_tool_is_neither_offered_nor_run_in_incognito(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", tools=ToolRegistry([keep_note])) as backend:
        opened = (await backend.session()).json()
        assert opened["session_config"]["tools"] == []
        for token, mode in ((None, "incognito"), (opened["session_token"], "persistent")):
            forced = await backend.tool("keep_note", token=token, memory_mode=mode, arguments={"title": "x"})
            assert forced.status_code == 403
            assert error_code(forced) == "tool_not_allowed"
        offered = (await backend.session(memory_mode="persistent")).json()["session_config"]["tools"]
        assert offered[0]["parameters"] == {
            "type": "object",
            "properties": {"title": {"type": "string"}, "weight": {"type": "number", "default": 1.0}},
            "required": ["title"],
            "additionalProperties": False,
        }
        done = await backend.tool("keep_note", memory_mode="persistent", arguments={"title": "x"})
        assert done.json()["output"] == {"kept": "x", "side_effect": "memory", "retry_safe": False}
        for wrong in ({}, {"title": 7}, {"title": "x", "more": 1}, {"title": "x", "weight": "1"}):
            assert (await backend.tool("keep_note", memory_mode="persistent", arguments=wrong)).status_code == 422
