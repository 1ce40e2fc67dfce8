"""Tools: each call runs once, and the model hears of each once, when it may."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.effects import CallTool
from couchvoice.core.notices import ToolActivity, ToolResult
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Line
from tests.core.talk import (
    CREATE,
    ITEM,
    START,
    answered,
    buffer_stopped,
    call_done,
    call_item,
    called,
    created,
    done,
    draft,
    feed,
    of,
    outputs,
    ran,
    said,
    sent,
    speaking,
    spoken,
    transcript,
    turns,
    wait,
)

SPEECH = server.SpeechStarted(item_id="u9")


@pytest.mark.row("F1")
def test_a_call_runs_once_its_output_item_is_completed(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"))
    effects = feed(session, call_done("r1", call_item("c1", query="tea")))
    assert effects == [
        ToolActivity("lookup", "c1", "started"),
        CallTool("c1", "lookup", {"query": "tea"}, "Tea?", (Line("user", "Tea?", "u1"),)),
    ]


@pytest.mark.row("F1")
def test_the_output_goes_out_after_response_done_and_then_one_response_is_asked_for(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", call_item("c1")))
    assert sent(session.tool_finished("c1", {"tea": 1}, START + 1)) == []
    effects = feed(session, done("r1"))
    assert sent(effects) == ["c1", CREATE]
    assert outputs(effects) == {"c1": {"tea": 1}}


@pytest.mark.row("F1")
def test_a_result_that_comes_after_response_done_goes_out_at_once(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    effects = session.tool_finished("c1", {}, START + 1.5)
    assert effects[0] == ToolActivity("lookup", "c1", "completed", 1500.0)
    assert sent(effects) == ["c1", CREATE]


@pytest.mark.row("F5")
def test_a_failed_tool_is_answered_and_recorded_as_failed(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    effects = session.tool_finished("c1", {"error": "timeout"}, START + 15, error="timeout")
    assert of(ToolActivity, effects) == [ToolActivity("lookup", "c1", "failed", 15_000.0)]
    assert outputs(effects) == {"c1": {"error": "timeout"}}
    (turn,) = turns(feed(session, *answered("r2", "I could not look.")))
    assert [(call.status, call.error) for call in turn.tool_calls] == [("failed", "timeout")]


@pytest.mark.row("F6")
def test_the_user_is_shown_what_the_model_is_told_but_for_what_is_private(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    output = {"tea": "green", "key": "k-17"}
    effects = session.tool_finished("c1", output, START + 1, private=["key"])
    assert [type(effect) for effect in effects[:2]] == [ToolActivity, ToolResult]
    assert effects[1] == ToolResult("lookup", "c1", {"tea": "green", "key": "[private]"})
    assert outputs(effects) == {"c1": output}
    (turn,) = turns(feed(session, *answered("r2", "Green.")))
    assert [call.output for call in turn.tool_calls] == [output]


@pytest.mark.row("F6")
def test_of_a_tool_that_failed_the_user_is_shown_the_code_too(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    effects = session.tool_finished("c1", {"error": "timeout"}, START + 15, error="timeout")
    assert of(ToolResult, effects) == [ToolResult("lookup", "c1", {"error": "timeout"})]


@pytest.mark.row("F9")
def test_a_name_that_the_model_made_up_is_shown_harmless_and_called_as_it_is(session: Session) -> None:
    name = "look\nup\x1b[2J" + "x" * 100
    effects = feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1", name)))
    assert [call.name for call in of(CallTool, effects)] == [name]
    effects += session.tool_finished("c1", {}, START)
    activities, results = of(ToolActivity, effects), of(ToolResult, effects)
    assert [activity.status for activity in activities] == ["started", "completed"]
    assert {shown.name for shown in [*activities, *results]} == {"look?up??2J" + "x" * 53}


@pytest.mark.row("F3")
def test_a_call_that_is_named_three_times_runs_once(session: Session) -> None:
    item = call_item("c1")
    arguments = server.Unknown(type="response.function_call_arguments.done", payload="{}")
    effects = feed(session, created("r1"), arguments, call_done("r1", item), call_done("r1", item))
    effects += feed(session, done("r1", output=[item]), done("r1", output=[item]), call_done("r1", item))
    assert ran(effects) == ["c1"]


@pytest.mark.row("F3")
def test_a_call_that_only_response_done_names_runs(session: Session) -> None:
    assert ran(feed(session, created("r1"), done("r1", output=[call_item("c1", status=None)]))) == ["c1"]


@pytest.mark.row("F3")
def test_a_result_that_comes_twice_is_sent_once(session: Session) -> None:
    feed(session, *called("r1", call_item("c1")))
    assert sent(session.tool_finished("c1", {}, START)) == ["c1", CREATE]
    assert session.tool_finished("c1", {}, START) == []
    assert session.tool_finished("c7", {}, START) == []


@pytest.mark.row("F4")
def test_parallel_calls_are_answered_together_in_the_order_of_the_output(session: Session) -> None:
    effects = feed(session, *called("r1", call_item("c1"), call_item("c2"), call_item("c3")))
    assert ran(effects) == ["c1", "c2", "c3"]
    assert sent(session.tool_finished("c3", {}, START)) == []
    assert sent(session.tool_finished("c1", {}, START)) == []
    assert sent(session.tool_finished("c2", {}, START)) == ["c1", "c2", "c3", CREATE]


@pytest.mark.row("F4")
def test_calls_that_are_completed_out_of_order_are_answered_in_order(session: Session) -> None:
    effects = feed(session, created("r1"), call_done("r1", call_item("c2"), 1), call_done("r1", call_item("c1"), 0))
    assert ran(effects) == ["c2", "c1"]
    session.tool_finished("c1", {}, START)
    session.tool_finished("c2", {}, START)
    assert sent(feed(session, done("r1"))) == ["c1", "c2", CREATE]


def test_a_call_that_lacks_its_id_or_its_name_is_none(session: Session) -> None:
    nameless = server.Item(type="function_call", status="completed", call_id="c1")
    idless = server.Item(type="function_call", status="completed", name="lookup")
    assert not ran(feed(session, created("r1"), call_done("r1", nameless), call_done("r1", idless)))


def test_items_that_are_no_completed_calls_run_nothing(session: Session) -> None:
    message = server.Item(id="a1", type="message", status="completed")
    effects = feed(
        session, created("r1"), call_done("r1", message), call_done("r1", call_item("c1", status="incomplete"))
    )
    assert not ran(effects + feed(session, done("r1", output=[message, call_item("c1", status="incomplete")])))


def test_a_call_of_a_response_that_was_not_announced_runs_once(session: Session) -> None:
    assert ran(feed(session, call_done("r1", call_item("c1")))) == ["c1"]
    assert not ran(feed(session, done("r1", output=[call_item("c1")])))


def test_a_quote_is_matched_by_whole_words(session: Session) -> None:
    feed(session, *said("u1", "I will start now"))
    quoted = call_item("c1", user_quote="art now")
    assert not ran(feed(session, created("r1"), call_done("r1", quoted)))


def test_a_response_that_ended_incomplete_still_answers_what_ran(session: Session) -> None:
    feed(session, created("r1"), call_done("r1", call_item("c1")))
    effects = feed(session, done("r1", "incomplete", [call_item("c1"), call_item("c2", status=None)]))
    assert not ran(effects)
    assert sent(session.tool_finished("c1", {}, START)) == ["c1", CREATE]


# Silence as an answer


@pytest.mark.row("F2")
def test_wait_for_user_gets_its_output_and_no_response(session: Session) -> None:
    feed(session, *said("u1", "Hm"), *called("r1", call_item("c1", "wait_for_user")))
    effects = session.tool_finished("c1", {"should_respond": False}, START)
    assert sent(effects) == ["c1"]
    (turn,) = turns(effects)
    assert (turn.user_text, turn.assistant_text, turn.tool_calls) == ("Hm", "", ())
    assert session.state is SessionState.LISTENING


@pytest.mark.row("F2")
def test_a_tool_that_wants_no_response_gets_none(session: Session) -> None:
    feed(session, *said("u1", "Hm"), *called("r1", call_item("c1", "note")))
    effects = session.tool_finished("c1", {"should_respond": False}, START)
    assert sent(effects) == ["c1"]
    assert [call.name for call in turns(effects)[0].tool_calls] == ["note"]


@pytest.mark.row("F2")
def test_wait_for_user_beside_a_real_tool_continues_once(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1", "wait_for_user"), call_item("c2")))
    session.tool_finished("c2", {}, START)
    assert sent(session.tool_finished("c1", {"should_respond": False}, START)) == ["c1", "c2", CREATE]
    (turn,) = turns(feed(session, *answered("r2", "Yes")))
    assert [call.name for call in turn.tool_calls] == ["lookup"]


# Cancelled


@pytest.mark.row("F1")
def test_a_call_of_a_cancelled_response_never_runs(session: Session) -> None:
    partial = server.Item(type="function_call", status="incomplete", name="lookup", call_id="c1", arguments='{"qu')
    effects = feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", partial))
    effects += feed(session, done("r1", "cancelled", [partial]), call_done("r1", call_item("c1")))
    assert not ran(effects)
    assert not turns(session.close(START))[0].tool_calls


@pytest.mark.row("F1")
def test_a_call_that_is_completed_while_the_user_already_speaks_waits_for_the_verdict(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), SPEECH)
    effects = feed(session, call_done("r1", call_item("c1")))
    assert not ran(effects + feed(session, done("r1", "cancelled", [call_item("c1")])) + wait(session, START + 60))


@pytest.mark.row("F1")
@pytest.mark.parametrize("named_again", [True, False])
def test_a_call_in_doubt_runs_when_the_response_completes_after_all(session: Session, *, named_again: bool) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), SPEECH, call_done("r1", call_item("c1")))
    assert ran(feed(session, done("r1", output=[call_item("c1")] if named_again else None))) == ["c1"]


@pytest.mark.row("F1")
def test_a_call_is_in_doubt_when_the_user_stops_the_response_by_hand(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"))
    session.interrupt(START)
    assert not ran(feed(session, call_done("r1", call_item("c1")), done("r1", "cancelled")))


@pytest.mark.row("F1")
def test_a_call_that_waits_for_words_does_not_run_while_its_response_is_in_doubt(session: Session) -> None:
    item = call_item("c1", user_quote="no sugar")
    feed(session, *said("u1"), created("r1"), call_done("r1", item), SPEECH)
    assert not ran(feed(session, transcript("u1", "No sugar")) + wait(session, START + 10))
    assert not ran(feed(session, done("r1", "cancelled")) + wait(session, START + 20))


def test_a_call_that_waited_for_words_in_doubt_runs_when_the_response_completes(session: Session) -> None:
    item = call_item("c1", user_quote="no sugar")
    feed(session, *said("u1"), created("r1"), call_done("r1", item), SPEECH, transcript("u1", "No sugar"))
    assert ran(feed(session, done("r1", output=[item]))) == ["c1"]


@pytest.mark.row("F1")
def test_what_ran_before_the_cancellation_is_told_and_not_continued(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", call_item("c1")), SPEECH)
    feed(session, done("r1", "cancelled"))
    effects = session.tool_finished("c1", {}, START)
    assert sent(effects) == ["c1"]
    assert [call.status for turn in turns(effects) for call in turn.tool_calls] == ["completed"]


def test_a_call_that_was_dropped_is_no_answer_to_the_words_before_it(session: Session) -> None:
    item = call_item("c1", user_quote="no sugar")
    feed(session, *said("u1", "Tea"), created("r1"), call_done("r1", item), *said("u2", "and milk"))
    (turn,) = turns(feed(session, done("r1", "cancelled", [item]), *answered("r2", "Both")))
    assert (turn.user_text, turn.tool_calls) == ("Tea and milk", ())


def test_a_result_before_the_cancellation_is_told_with_it(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", call_item("c1")))
    session.tool_finished("c1", {}, START)
    assert sent(feed(session, done("r1", "cancelled"))) == ["c1"]


# A response that another one follows without its end


def test_the_calls_of_a_response_whose_end_was_lost_are_answered(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", call_item("c1")))
    session.tool_finished("c1", {}, START)
    assert sent(feed(session, *said("u2", "Hello?"), created("r2"))) == ["c1"]
    assert sent(feed(session, done("r2"))) == [CREATE]


def test_a_running_call_of_a_response_whose_end_was_lost_is_answered_when_it_is_finished(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", call_item("c1")), created("r2"))
    assert sent(session.tool_finished("c1", {}, START)) == ["c1"]
    assert sent(feed(session, done("r2"))) == [CREATE]


def test_calls_in_doubt_of_a_response_whose_end_was_lost_hold_nothing_up(session: Session) -> None:
    item = call_item("c1", user_quote="no sugar")
    feed(session, *said("u1"), created("r1"), call_done("r1", item), SPEECH, call_done("r1", call_item("c2")))
    effects = feed(session, transcript("u1", "No sugar"), server.SpeechStopped(item_id="u9"), *answered("r2", "Yes?"))
    assert not ran(effects + wait(session, START + 20))
    assert len(turns(effects + session.close(START + 20))) == 1


def test_a_superseded_response_may_still_name_its_calls(session: Session) -> None:
    feed(session, created("r1"), spoken("r1", "Hm"), created("r2"))
    assert ran(feed(session, done("r1", output=[call_item("c1")]))) == ["c1"]
    assert sent(session.tool_finished("c1", {}, START)) == ["c1"]
    assert sent(feed(session, done("r2"))) == [CREATE]


# Evidence


def save(**arguments: Any) -> server.Item:
    return call_item("c1", "save_response_preference", **arguments)


@pytest.mark.row("G7")
def test_a_call_with_a_quote_waits_for_the_words(session: Session) -> None:
    assert not ran(feed(session, *said("u1"), *called("r1", save(user_quote="Please be brief"))))
    assert session.state is SessionState.THINKING
    assert ran(feed(session, transcript("u1", "Ah, please... be BRIEF!"))) == ["c1"]


@pytest.mark.row("G7")
def test_a_draft_is_evidence_enough(session: Session) -> None:
    feed(session, *said("u1"), *called("r1", save(user_quote="be brief")))
    assert not ran(feed(session, draft("u1", "Please be")))
    (effect,) = of(CallTool, feed(session, draft("u1", " brief")))
    assert effect.current_user_message == "Please be brief"


@pytest.mark.row("G7")
def test_words_that_do_not_come_are_awaited_two_and_a_half_seconds(session: Session) -> None:
    feed(session, *said("u1", "Something else"), *called("r1", save(user_quote="be brief")))
    assert not ran(wait(session, START + 2.49))
    assert ran(wait(session, START + 2.5)) == ["c1"]


@pytest.mark.row("G7")
def test_words_of_the_last_three_turns_are_evidence(session: Session) -> None:
    for number, text in enumerate(["Please be brief", "Two", "Three"]):
        feed(session, *said(f"u{number}", text), *answered(f"r{number}", "Yes"))
    feed(session, *said("u5", "Now"))
    assert ran(feed(session, *called("r5", save(user_quote="be brief")))) == ["c1"]


@pytest.mark.row("G7")
def test_words_of_four_turns_ago_are_not(session: Session) -> None:
    for number, text in enumerate(["Please be brief", "Two", "Three", "Four"]):
        feed(session, *said(f"u{number}", text), *answered(f"r{number}", "Yes"))
    feed(session, *said("u5", "Now"))
    assert not ran(feed(session, *called("r5", save(user_quote="be brief"))))


@pytest.mark.row("G7")
def test_a_call_without_a_quote_waits_for_no_transcript(session: Session) -> None:
    (effect,) = of(CallTool, feed(session, *said("u1"), *called("r1", save(preference_text="brief"))))
    assert effect.current_user_message == ""


def test_a_tool_is_told_the_talk_so_far(session: Session) -> None:
    feed(session, *said("u1", "Hello"), *answered("r1", "Hi"), *said("u2", "Tea?"), *speaking("r2", "Let me look."))
    (effect,) = of(CallTool, feed(session, call_done("r2", call_item("c1"), 1)))
    assert effect.transcript == (
        Line("user", "Hello", "u1"),
        Line("assistant", "Hi"),
        Line("user", "Tea?", "u2"),
        Line("assistant", "Let me look."),
    )


# The end


def test_what_has_not_run_at_the_end_does_not_run(session: Session) -> None:
    feed(session, *said("u1"), *called("r1", save(user_quote="be brief")))
    effects = session.close(START) + feed(session, transcript("u1", "Be brief")) + wait(session, START + 10)
    assert not ran(effects)
    assert [call.name for turn in turns(effects) for call in turn.tool_calls] == []


@pytest.mark.row("I5")
def test_what_runs_at_the_end_is_recorded_as_started(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    (turn,) = turns(session.close(START))
    assert [(call.name, call.status) for call in turn.tool_calls] == [("lookup", "started")]
    assert session.tool_finished("c1", {}, START) == []


def test_words_that_came_while_the_tool_ran_are_the_next_turn(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")), *said("u2", "Hello?"), *speaking("r2", "Yes?"))
    effects = session.tool_finished("c1", {}, START)
    assert sent(effects) == ["c1"]
    assert [turn.user_text for turn in turns(effects)] == ["Tea?"]
    effects = feed(session, done("r2"))
    assert sent(effects) == [CREATE]
    assert [turn.user_text for turn in turns(feed(session, buffer_stopped("r2"), *answered("r3", "It rains.")))] == [
        "Hello?"
    ]


def test_a_typed_line_while_a_tool_runs_is_sent_at_once(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    assert sent(session.send_text("Quick", START)) == [ITEM, CREATE]
    assert sent(session.tool_finished("c1", {}, START)) == ["c1"]
    feed(session, created("r2"))
    assert sent(feed(session, done("r2"))) == [CREATE]
