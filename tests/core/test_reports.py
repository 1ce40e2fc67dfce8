"""Tools that run on after their acknowledgement: when the model is told what came of them, and in which turn."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.core.client_events import FunctionCall, ItemCreate
from couchvoice.core.effects import Effect, SendEvent
from couchvoice.core.notices import ToolActivity
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from tests.core.talk import (
    CREATE,
    ITEM,
    START,
    answered,
    buffer_stopped,
    call_item,
    called,
    done,
    feed,
    of,
    outputs,
    said,
    sent,
    speaking,
    turns,
    wait,
)

ACK = {"status": "generating"}
PICTURE = {"response_text": "Here is a lighthouse."}


def acknowledged(session: Session, call: str = "c1", response: str = "r1", *, after: str = "u1") -> list[Effect]:
    """The user asks for something that takes long; the tool has begun, and the model says so."""
    feed(
        session,
        *said(after, "Paint me a lighthouse."),
        *called(response, call_item(call, "paint", what="a lighthouse")),
    )
    begun = session.tool_finished(call, ACK, START, runs_on=True)
    return begun + feed(session, *answered(f"{response}-ack", "I have begun."))


def told(effects: list[Effect]) -> list[FunctionCall]:
    """The calls that we made up to tell of a result."""
    items = [effect.event.item for effect in of(SendEvent, effects) if isinstance(effect.event, ItemCreate)]
    return [item for item in items if isinstance(item, FunctionCall)]


def statuses(effects: list[Effect]) -> list[tuple[str, str]]:
    return [(activity.call_id, activity.status) for activity in of(ToolActivity, effects)]


@pytest.mark.row("F7")
def test_a_long_tool_is_acknowledged_and_the_talk_goes_on_until_its_result_is_told(session: Session):
    first = acknowledged(session)
    assert sent(first) == ["c1", CREATE]
    assert outputs(first) == {"c1": ACK}
    (turn,) = turns(first)
    assert [(call.name, call.status) for call in turn.tool_calls] == [("paint", "started")]
    assert turn.outcome is Outcome.COMPLETED
    assert session.state is SessionState.LISTENING  # nobody is kept waiting
    assert not session.settled

    between = feed(session, *said("u2", "Is it raining?"), *answered("r2", "No."))
    assert [turn.index for turn in turns(between)] == [2]

    result = session.result_arrived("c1", PICTURE, START + 30)
    (call,) = told(result)
    assert (call.name, call.arguments) == ("paint", '{"what": "a lighthouse"}')
    assert sent(result) == [ITEM, call.call_id, CREATE]  # data, like any other output: no message
    assert outputs(result) == {call.call_id: PICTURE}
    assert of(ToolActivity, result) == [ToolActivity("paint", "c1", "completed", 30_000.0)]

    (report,) = turns(feed(session, *answered("r3", "Here is a lighthouse."), at=START + 31))
    assert (report.user_text, report.assistant_text) == ("", "Here is a lighthouse.")
    assert [(call.name, call.status, call.output) for call in report.tool_calls] == [("paint", "completed", PICTURE)]
    assert session.settled
    assert session.result_arrived("c1", PICTURE, START + 40) == []


@pytest.mark.row("F7")
def test_a_result_waits_while_somebody_speaks_and_while_an_answer_is_owed(session: Session):
    acknowledged(session)
    start, stop, commit, item, words = said("u2", "Is it raining?")
    waiting = feed(session, start)
    waiting += session.result_arrived("c1", PICTURE, START)
    waiting += feed(session, stop, commit, item, words)
    waiting += feed(session, *speaking("r2", "No.", after="u2"), done("r2"))
    assert sent(waiting) == []
    idle = feed(session, buffer_stopped("r2"))
    assert [turn.user_text for turn in turns(idle)] == ["Is it raining?"]
    assert sent(idle) == [ITEM, told(idle)[0].call_id, CREATE]


@pytest.mark.row("F7")
def test_words_that_come_before_the_response_to_a_result_get_it_as_their_answer(session: Session):
    acknowledged(session)
    session.result_arrived("c1", PICTURE, START)
    recorded = turns(feed(session, *said("u2", "And?"), *answered("r2", "Here is a lighthouse.", after="u2")))
    assert [(turn.user_text, [call.status for call in turn.tool_calls]) for turn in recorded] == [
        ("And?", ["completed"])
    ]


@pytest.mark.row("F7")
@pytest.mark.parametrize("ready", [False, True], ids=["runs", "waits-to-be-told"])
def test_a_newer_call_of_the_same_tool_takes_the_place_of_the_older(session: Session, ready: bool):
    acknowledged(session)
    start, *rest = said("u2", "No, a dog.")
    feed(session, start)
    if ready:
        assert told(session.result_arrived("c1", PICTURE, START)) == []
    feed(session, *rest, *called("r2", call_item("c2", "paint", what="a dog")))
    newer = session.tool_finished("c2", ACK, START, runs_on=True)
    assert statuses(newer) == [*([] if ready else [("c1", "cancelled")]), ("c2", "generating")]
    later = feed(session, *answered("r3", "A dog, then.")) + session.result_arrived("c1", PICTURE, START)
    assert told(later) == []
    dog = session.result_arrived("c2", {"response_text": "Here is a dog."}, START)
    assert [call.arguments for call in told(dog)] == ['{"what": "a dog"}']


def test_what_was_cancelled_is_told_to_nobody(session: Session):
    acknowledged(session)
    cancelled = session.result_cancelled("c1", START)
    assert statuses(cancelled) == [("c1", "cancelled")]
    assert sent(cancelled) == []
    assert session.settled


def test_a_tool_that_failed_later_is_told_and_recorded_as_failed(session: Session):
    acknowledged(session)
    failed = session.result_arrived("c1", {"error": "tool_timeout"}, START, error="tool_timeout")
    assert statuses(failed) == [("c1", "failed")]
    assert list(outputs(failed).values()) == [{"error": "tool_timeout"}]
    (turn,) = turns(feed(session, *answered("r2", "I am sorry.")))
    assert [(call.status, call.error) for call in turn.tool_calls] == [("failed", "tool_timeout")]


def test_results_that_wait_are_told_together_with_one_response(session: Session):
    feed(session, *said("u1", "Both."), *called("r1", call_item("c1", "paint"), call_item("c2", "look_up")))
    for call_id in ("c1", "c2"):
        session.tool_finished(call_id, ACK, START, runs_on=True)
    waiting: list[Any] = []
    for call_id in ("c1", "c2"):
        waiting += session.result_arrived(call_id, PICTURE, START)
    assert told(waiting) == []
    idle = feed(session, *answered("r2", "I have begun."))
    assert [call.name for call in told(idle)] == ["paint", "look_up"]
    assert sent(idle).count(CREATE) == 1


def test_a_result_that_wants_no_response_is_told_in_silence(session: Session):
    acknowledged(session)
    silent = session.result_arrived("c1", {"should_respond": False}, START)
    assert len(told(silent)) == 1
    assert CREATE not in sent(silent)
    assert session.settled


def test_after_the_talk_no_result_is_told_and_none_is_waited_for(session: Session):
    acknowledged(session)
    session.close(START)
    assert session.settled
    assert session.result_arrived("c1", PICTURE, START) == []
    assert sent(wait(session, START + 60)) == []


@pytest.mark.row("F7")
def test_who_waits_is_told_whether_it_is_for_a_tool(session: Session):
    assert not session.awaits_tool
    acknowledged(session)
    assert session.awaits_tool
    session.result_arrived("c1", PICTURE, START)
    assert not session.awaits_tool  # now the model is to speak of it
    feed(session, *said("u2", "And what is the time?"), *called("r2", call_item("c2", "clock")))
    assert session.awaits_tool
    session.close(START)
    assert not session.awaits_tool
