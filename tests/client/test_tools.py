"""Tools through the backend, in a talk: what model and user are told, also when one goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from couchvoice.apps.json_screen import JsonScreen
from couchvoice.apps.plain_screen import PlainScreen
from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.backend import tool
from couchvoice.client import tool_call
from couchvoice.client.backend import HttpBackend
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.effects import CallTool
from couchvoice.core.notices import AssistantTranscript, Notice, ToolActivity, ToolResult, TurnRecorded
from couchvoice.embedded import embedded_ends
from couchvoice.settings import load_settings
from tests.client.stage import Stage, talking
from tests.e2e.minimal_backend import Fault
from tests.leftovers import nothing_left

SHORT = 0.2  # seconds
MANY = 20


async def outputs_of(stage: Stage, *names: str) -> dict[str, object]:
    """Have the tools called, and wait for what the model is told."""
    stage.ask()
    stage.call_tools(*names)
    await stage.peer.wait_for(lambda: stage.peer.of("response.create"))
    return stage.outputs()


async def statuses_of(stage: Stage) -> list[str]:
    """How the calls are recorded, once the model has had its say."""
    stage.begin_answer()
    stage.end_answer()
    await stage.told(TurnRecorded)
    return [call["status"] for call in stage.backend.to("turn")[0]["tool_calls"]]


@pytest.mark.row("F5")
async def test_a_tool_that_does_not_answer_in_time_has_failed_and_the_talk_goes_on(monkeypatch: pytest.MonkeyPatch):
    assert tool_call.TOOL_TIMEOUT == 15.0
    monkeypatch.setattr(tool_call, "TOOL_TIMEOUT", SHORT)
    async with talking() as stage:
        stage.backend.hanging.add("tools")
        assert await outputs_of(stage, "slow") == {"call_0": {"error": "tool_timeout"}}
        assert [notice.status for notice in stage.of(ToolActivity)] == ["started", "failed"]
        assert await statuses_of(stage) == ["failed"]


CODED = '{{"detail": {{"code": "{}", "message": "no"}}}}'.format
NONSENSE = "backend_answered_nonsense"
FAULTS = {
    "500": (Fault(body=CODED("voice_realtime_tool_failed")), "voice_realtime_tool_failed"),
    "404": (Fault(status=404, body=CODED("unknown_tool")), "unknown_tool"),
    "no-code": (Fault(status=502, body="bad gateway"), "http_502"),
    "html": (Fault(status=200, body="<html>It works!</html>"), NONSENSE),
    "no-output": (Fault(status=200, body="{}"), NONSENSE),
    "output-list": (Fault(status=200, body='{"output": []}'), NONSENSE),
    "nested": (Fault(status=200, body='{"output": ' + "[" * 100_000), NONSENSE),
    "half-a-character": (Fault(status=200, body='{"output": {"a": "\\ud800"}}'), NONSENSE),
    "too-large": (
        Fault(status=200, body='{"output": {"a": "' + "x" * tool_call.MAX_TOOL_OUTPUT + '"}}'),
        "tool_output_too_large",
    ),
}


@pytest.mark.row("F5")
@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_tool_that_fails_is_told_to_the_model_by_its_code(fault: Fault, code: str):
    async with talking() as stage:
        stage.backend.faults["tools"] = fault
        assert await outputs_of(stage, "broken") == {"call_0": {"error": code}}
        assert await statuses_of(stage) == ["failed"]


@pytest.mark.row("F5")
async def test_a_bug_on_the_way_to_a_tool_is_told_to_the_model_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def fail(_: HttpBackend, call: CallTool) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(HttpBackend, "call_tool", fail)
    async with talking() as stage:
        assert await outputs_of(stage, "buggy") == {"call_0": {"error": "tool_failed"}}
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.row("F6", "T22")
async def test_a_result_reaches_the_user_and_the_model_and_what_is_private_the_model_only(
    capsys: pytest.CaptureFixture[str],
):
    output = {"response_text": "You are 3rd in line.", "ticket": {"number": "k-17"}}
    body = json.dumps({"output": output, "private_fields": ["ticket"]})
    shown = {"response_text": "You are 3rd in line.", "ticket": "[private]"}
    async with talking() as stage:
        stage.backend.faults["tools"] = Fault(status=200, body=body)
        assert await outputs_of(stage, "queue") == {"call_0": output}
        await stage.told(ToolResult)
        told = [notice for notice in stage.notices if isinstance(notice, ToolActivity | ToolResult)]
        assert [type(notice) for notice in told] == [ToolActivity, ToolActivity, ToolResult]
        assert told[2] == ToolResult("queue", "call_0", shown)
        assert await statuses_of(stage) == ["completed"]
    JsonScreen().show(told[2])
    assert json.loads(capsys.readouterr().out) == {
        "type": "tool_result",
        "name": "queue",
        "call_id": "call_0",
        "output": shown,
    }
    PlainScreen().show(told[2])
    assert capsys.readouterr().out == f"result: queue: {json.dumps(shown)}\n"


LOOKUP = """
rules:
  - heard: ["Where is the clinic?"]
    call:
      find_place: {query: walk in clinic}
tools:
  find_place:
    then: "{response_text} The code of the door is {door}."
"""
SPOKEN = "Where is the clinic?"
FOUND = "It is in Mill Lane."


@tool(private=["door"])
def find_place(query: str) -> dict[str, Any]:
    """Find a place in town."""
    return {"response_text": FOUND, "door": "4711", "asked": query}


@pytest.mark.row("F6", "F9")
async def test_a_whole_talk_with_a_lookup_leaves_neither_arguments_nor_output_in_the_log_at_info(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    replies = tmp_path / "replies.yaml"
    replies.write_text(LOOKUP)
    notices: list[Notice] = []
    async with (
        embedded_ends(load_settings(), replies=replies, tools=[find_place]) as ends,
        VoiceSession(Endpoints(**ends._asdict()), source=SilentSource(), sink=NullSink()) as session,
    ):
        await session.set_modalities("text")
        session.send_message(SPOKEN)
        async for notice in session:
            notices.append(notice)
            if isinstance(notice, TurnRecorded):
                break
    (result,) = (notice for notice in notices if isinstance(notice, ToolResult))
    assert {name: result.output[name] for name in ("response_text", "door")} == {
        "response_text": FOUND,
        "door": "[private]",
    }
    said = [notice.text for notice in notices if isinstance(notice, AssistantTranscript) and notice.final]
    assert said == [f"{FOUND} The code of the door is 4711."]  # the model was told
    assert '"event": "tool"' in caplog.text  # that there was one is told, once
    assert '"name": "find_place"' in caplog.text
    for private in (SPOKEN, "walk in clinic", "Mill Lane", "4711"):
        assert private not in caplog.text


@pytest.mark.row("F9")
async def test_a_name_that_the_model_made_up_cannot_forge_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def fail(_: HttpBackend, call: CallTool) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(HttpBackend, "call_tool", fail)
    name = "look\n= session ready\x1b[2J"
    async with talking() as stage:
        assert await outputs_of(stage, name) == {"call_0": {"error": "tool_failed"}}
        assert await statuses_of(stage) == ["failed"]
        assert [call["tool_name"] for call in stage.backend.to("turn")[0]["tool_calls"]] == [name]
    (record,) = (record for record in caplog.records if record.message.startswith("x tool"))
    assert record.message == "x tool look???session?ready??2J"


async def test_twenty_calls_at_once_are_all_answered_in_order_with_one_continuation():
    async with talking() as stage:
        names = [f"tool_{number}" for number in range(MANY)]
        outputs = await outputs_of(stage, *names)
        assert list(outputs) == [f"call_{number}" for number in range(MANY)]
        assert outputs["call_7"] == {"response_text": "tool_7 was run"}
        assert len(stage.peer.of("response.create")) == 1
        assert sorted(call["tool_name"] for call in stage.backend.to("tools")) == sorted(names)
        assert await statuses_of(stage) == ["completed"] * MANY


async def test_the_talk_goes_on_while_a_tool_is_slow():
    async with talking() as stage:
        stage.backend.hanging.add("tools")
        stage.ask()
        stage.call_tools("slow")
        await stage.backend.wait_for("tools")
        stage.session.send_message("Are you still there?")
        await stage.peer.wait_for(lambda: stage.peer.of("conversation.item.create"))
        assert stage.session.is_connected


@pytest.mark.row("A10")
async def test_a_tool_that_runs_dies_with_the_talk_and_its_turn_is_recorded():
    async with nothing_left(), talking() as stage:
        stage.backend.hanging.add("tools")
        stage.ask()
        stage.call_tools("slow")
        await stage.backend.wait_for("tools")
        started = asyncio.get_running_loop().time()
        await stage.session.disconnect()
        assert asyncio.get_running_loop().time() - started < 1.0
        (turn,) = stage.backend.to("turn")
        assert turn["outcome"] == "interrupted"
        assert [(call["tool_name"], call["status"]) for call in turn["tool_calls"]] == [("slow", "started")]
        assert stage.outputs() == {}
        assert stage.backend.order()[-1] == "end"
        await stage.peer.close()
