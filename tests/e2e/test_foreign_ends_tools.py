"""The tool bridge between two ends that know nothing of couchvoice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import scenarios
from tests.e2e.minimal_backend import Fault
from tests.e2e.scenarios import ANSWER, LOOKUP, PREAMBLE, QUESTION, SECOND_ANSWER, SECOND_QUESTION, STATUS
from tests.e2e.stage import BARGE_IN, Played, play

pytestmark = pytest.mark.timeout(60)

AFTER = 4.0  # seconds: two responses
SLOW = 0.6  # seconds


def _assert_outputs_then_one_response(played: Played, *call_ids: str) -> None:
    """Each output once, in order, when the response with the calls is over; then one request to go on."""
    assert [item["call_id"] for item in played.outputs()] == list(call_ids)
    over = played.end.position("sent", "response.done")
    outputs = [played.end.position("received", "conversation.item.create", nth + 1) for nth in range(len(call_ids))]
    assert over < min(outputs)
    assert max(outputs) < played.end.position("received", "response.create")
    assert len(played.end.received("response.create")) == 1


def _tool_calls(played: Played) -> list[tuple[str, str]]:
    """Name and status of the calls in the recorded turns."""
    return [(call["tool_name"], call["status"]) for turn in played.backend.to("turn") for call in turn["tool_calls"]]


@pytest.mark.row("F1", "I1")
async def test_a_preamble_a_call_and_the_answer_are_one_turn(tmp_path: Path) -> None:
    played = await play(scenarios.tool_call(), tmp_path, after=AFTER)
    played.ended_with(0)
    _assert_outputs_then_one_response(played, LOOKUP.call_id)
    assert json.loads(played.outputs()[0]["output"]) == {"response_text": f"{LOOKUP.name} was run"}
    played.recorded((QUESTION, f"{PREAMBLE} {ANSWER}", "completed"))
    assert played.backend.order() == ["session", "tools", "turn", "end"]
    request = played.backend.to("tools")[0]
    assert request["tool_name"] == LOOKUP.name
    assert request["arguments"] == LOOKUP.arguments
    assert request["current_user_message"] == QUESTION
    assert request["thread_id"] == played.backend.to("session")[0]["thread_id"]
    assert _tool_calls(played) == [(LOOKUP.name, "completed")]
    assert played.talk.of("turn")[0]["tool_calls"] == [LOOKUP.name]
    assert [line["call_id"] for line in played.talk.of("tool") if line["status"] == "completed"] == [LOOKUP.call_id]


@pytest.mark.row("F3")
async def test_a_call_that_is_told_four_times_is_run_once(tmp_path: Path) -> None:
    played = await play(scenarios.repeated_call(), tmp_path, after=AFTER)
    played.ended_with(0)
    _assert_outputs_then_one_response(played, LOOKUP.call_id)
    assert len(played.backend.to("tools")) == 1
    assert _tool_calls(played) == [(LOOKUP.name, "completed")]
    played.recorded((QUESTION, ANSWER, "completed"))


@pytest.mark.row("F4")
async def test_two_calls_run_at_the_same_time_and_share_one_continuation(tmp_path: Path) -> None:
    played = await play(scenarios.parallel_calls(), tmp_path, delays={"tools": SLOW}, after=AFTER)
    played.ended_with(0)
    _assert_outputs_then_one_response(played, LOOKUP.call_id, STATUS.call_id)
    first, second = (request.at for request in played.backend.requests if request.endpoint == "tools")
    assert abs(second - first) < SLOW
    assert _tool_calls(played) == [(LOOKUP.name, "completed"), (STATUS.name, "completed")]
    played.recorded((QUESTION, ANSWER, "completed"))


@pytest.mark.row("F2")
async def test_nothing_is_asked_for_after_wait_for_user(tmp_path: Path) -> None:
    played = await play(scenarios.waits_for_user(), tmp_path)
    played.ended_with(0)
    assert [item["call_id"] for item in played.outputs()] == ["call_wait"]
    assert played.end.received("response.create") == []
    assert _tool_calls(played) == []
    assert "assistant_speaking" not in played.talk.states
    played.finalized_once()


@pytest.mark.row("F1")
async def test_a_call_that_was_cut_within_its_arguments_is_never_run(tmp_path: Path) -> None:
    played = await play(scenarios.cancelled_call(), tmp_path, starts=BARGE_IN)
    played.ended_with(0)
    assert played.backend.to("tools") == []
    assert played.outputs() == []
    assert _tool_calls(played) == []
    turns = played.backend.to("turn")
    assert " ".join(turn["user_text"] for turn in turns) == f"{QUESTION} {SECOND_QUESTION}"
    assert turns[-1]["assistant_text"] == SECOND_ANSWER
    played.finalized_once()


BROKEN = {
    "status-500": Fault(body='{"detail": {"code": "voice_realtime_tool_failed", "message": "no"}}'),
    "html": Fault(status=200, body="<html>It works!</html>", content_type="text/html"),
    "dropped": Fault(drop=True),
}


@pytest.mark.row("F5")
@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN.keys())
async def test_a_tool_that_fails_is_told_to_the_assistant_and_the_talk_goes_on(fault: Fault, tmp_path: Path) -> None:
    played = await play(scenarios.tool_call(), tmp_path, faults={"tools": fault}, after=AFTER)
    played.ended_with(0)
    _assert_outputs_then_one_response(played, LOOKUP.call_id)
    assert "error" in json.loads(played.outputs()[0]["output"])
    assert _tool_calls(played) == [(LOOKUP.name, "failed")]
    played.recorded((QUESTION, f"{PREAMBLE} {ANSWER}", "completed"))


@pytest.mark.row("E5", "F1")
async def test_a_continuation_that_meets_an_active_response_is_asked_for_again(tmp_path: Path) -> None:
    played = await play(scenarios.active_response(), tmp_path, after=AFTER)
    played.ended_with(0)
    assert len(played.end.received("response.create")) == 2
    assert played.talk.of("error") == []
    assert len(played.backend.to("tools")) == 1
    assert _tool_calls(played) == [(LOOKUP.name, "completed")]
    played.recorded((QUESTION, ANSWER, "completed"))
