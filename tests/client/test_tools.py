"""Tools through the backend, in a talk: what the model is told when one of them goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from couchvoice.client import tool_call
from couchvoice.client.backend import HttpBackend
from couchvoice.core.effects import CallTool
from couchvoice.core.notices import ToolActivity, TurnRecorded
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
