"""Turns: what belongs together, and when it is over."""

from __future__ import annotations

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.effects import CallTool
from couchvoice.core.session import Session
from couchvoice.core.turn import Outcome
from couchvoice.core.turns import REMEMBERED_CHARACTERS, UNASKED_TIMEOUT, TurnLedger
from couchvoice.errors import NotConnected
from tests.core.conftest import listening
from tests.core.talk import (
    CREATE,
    START,
    answered,
    buffer_started,
    buffer_stopped,
    call_done,
    call_item,
    called,
    created,
    done,
    draft,
    feed,
    said,
    sent,
    speaking,
    spoken,
    texts,
    transcript,
    turns,
    wait,
)

FAILED = server.InputTranscriptFailed(item_id="u1")


@pytest.mark.row("I1")
def test_a_turn_is_recorded_when_its_answer_was_heard_out(session: Session) -> None:
    assert not turns(feed(session, *said("u1", "Hello"), *speaking("r1", "Hi there"), done("r1")))
    (turn,) = turns(feed(session, buffer_stopped("r1")))
    assert (turn.user_text, turn.assistant_text) == ("Hello", "Hi there")
    assert (turn.index, turn.client_turn_id, turn.outcome) == (1, "s-1", Outcome.COMPLETED)


@pytest.mark.row("I1")
def test_turns_are_counted_from_one(session: Session) -> None:
    effects = feed(session, *said("u1", "One"), *answered("r1", "1"), *said("u2", "Two"), *answered("r2", "2"))
    assert [(turn.index, turn.client_turn_id) for turn in turns(effects)] == [(1, "s-1"), (2, "s-2")]


@pytest.mark.row("E2", "I1")
def test_a_transcript_that_comes_after_the_answer_lands_in_its_own_turn(session: Session) -> None:
    effects = feed(session, *said("u1"), *answered("r1", "Hi"))
    assert not turns(effects)
    assert texts(feed(session, transcript("u1", "Hello"))) == [("Hello", "Hi")]


@pytest.mark.row("E2", "I1")
def test_a_transcript_that_comes_after_the_next_turn_began_lands_in_its_own(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "First"), *said("u2"), *speaking("r2", "Second"))
    assert not turns(feed(session, transcript("u2", "Two")))
    assert texts(feed(session, transcript("u1", "One"))) == [("One", "First")]
    assert texts(feed(session, done("r2"), buffer_stopped("r2"))) == [("Two", "Second")]


@pytest.mark.row("I1")
def test_turns_leave_in_the_order_in_which_they_began(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "First"), *said("u2", "Two"), *answered("r2", "Second"))
    assert texts(feed(session, transcript("u1", "One"))) == [("One", "First"), ("Two", "Second")]


@pytest.mark.row("I1")
def test_the_assistants_words_may_come_before_the_users(session: Session) -> None:
    feed(session, *said("u1"), created("r1"), spoken("r1", "Hi"))
    feed(session, transcript("u1", "Hello"))
    assert texts(feed(session, done("r1"), buffer_started("r1"), buffer_stopped("r1"))) == [("Hello", "Hi")]


@pytest.mark.row("I1")
def test_a_missing_transcript_is_awaited_five_seconds(session: Session) -> None:
    feed(session, *said("u1"), *speaking("r1", "Hi"), done("r1"), at=START)
    feed(session, buffer_stopped("r1"), at=START + 4)
    assert not turns(wait(session, START + 8.99))
    (turn,) = turns(wait(session, START + 9))
    assert (turn.user_text, turn.assistant_text) == ("", "Hi")
    assert turn.timings["user_transcript"] == "missing"


@pytest.mark.row("I1")
def test_words_that_came_stay_when_others_of_the_turn_are_missing(session: Session) -> None:
    feed(session, *said("u1", "Tea"), *said("u2"), *answered("r1", "Yes"))
    (turn,) = turns(wait(session, START + 5))
    assert (turn.user_text, turn.timings["user_transcript"]) == ("Tea", "missing")


@pytest.mark.row("I1")
def test_a_failed_transcript_is_not_awaited(session: Session) -> None:
    (turn,) = turns(feed(session, *said("u1"), FAILED, *answered("r1", "Hi")))
    assert turn.user_text == ""
    assert turn.timings["user_transcript"] == "failed"


def test_a_final_transcript_after_a_failure_counts(session: Session) -> None:
    (turn,) = turns(feed(session, *said("u1"), FAILED, transcript("u1", "Hello"), FAILED, *answered("r1", "Hi")))
    assert turn.user_text == "Hello"
    assert "user_transcript" not in turn.timings


@pytest.mark.row("E2")
def test_a_draft_whose_final_text_never_came_is_recorded_and_said_to_be_one(session: Session) -> None:
    feed(session, *said("u1"), draft("u1", "Hel"), *answered("r1", "Hi"))
    (turn,) = turns(wait(session, START + 5))
    assert turn.user_text == "Hel"
    assert turn.timings["user_transcript"] == "missing"


@pytest.mark.row("E2")
def test_the_final_transcript_replaces_the_draft_and_later_drafts_are_nothing(session: Session) -> None:
    feed(session, *said("u1"), draft("u1", "Helo"), transcript("u1", " Hello "), draft("u1", "o"))
    assert texts(feed(session, *answered("r1", "Hi"))) == [("Hello", "Hi")]


@pytest.mark.row("I1")
def test_a_transcript_after_its_turn_was_recorded_is_no_turn_of_its_own(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "Hi"))
    assert texts(wait(session, START + 5)) == [("", "Hi")]
    feed(session, draft("u1", "Hel"), transcript("u1", "Hello"), FAILED, at=START + 6)
    assert session.settled
    assert not turns(session.close(START + 7))


@pytest.mark.row("I1")
def test_a_late_transcript_is_kept_while_an_earlier_turn_holds_the_line(session: Session) -> None:
    feed(session, *said("u1", "One"), *called("r1", call_item("c1")))
    feed(session, *said("u2"), *answered("r2", "Second"))
    assert not turns(wait(session, START + 10))
    feed(session, transcript("u2", "Two"), at=START + 11)
    effects = session.tool_finished("c1", {}, START + 12)
    assert texts(effects) == [("One", "")]
    assert texts(feed(session, *answered("r3", "Third"))) == [("Two", "Second Third")]


@pytest.mark.row("I1")
def test_two_utterances_before_one_answer_are_one_turn(session: Session) -> None:
    feed(session, *said("u1"), created("r1"), *said("u2"), done("r1", "cancelled"), *answered("r2", "Both"))
    feed(session, transcript("u2", "and milk"))
    assert texts(feed(session, transcript("u1", "Tea"))) == [("Tea and milk", "Both")]


@pytest.mark.row("I1")
def test_words_that_were_announced_before_the_cut_join_the_words_before_them(session: Session) -> None:
    feed(session, *said("u1", "Tea"), created("r1"), server.InputCommitted(item_id="u2"), done("r1", "cancelled"))
    effects = feed(session, server.InputCommitted(item_id="u3"), transcript("u3", "and cake"))
    effects += feed(session, transcript("u2", "and milk"), *answered("r2", "All three"))
    assert texts(effects) == [("Tea and milk and cake", "All three")]


@pytest.mark.row("I1")
def test_an_answer_that_was_cut_before_its_first_word_does_not_spoil_the_turn(session: Session) -> None:
    effects = feed(session, *said("u1", "Tea"), created("r1"), done("r1", "cancelled"))
    effects += feed(session, *said("u2", "and milk"), *answered("r2", "Both"))
    (turn,) = turns(effects)
    assert turn.outcome is Outcome.COMPLETED


@pytest.mark.row("I1")
def test_preamble_tool_and_answer_are_one_turn(session: Session) -> None:
    effects = feed(session, *said("u1", "Is it raining?"), *speaking("r1", "Let me look."))
    item = call_item("c1")
    effects += feed(session, server.OutputItemDone(response_id="r1", item=item, output_index=1))
    effects += feed(session, done("r1"), buffer_stopped("r1"))
    effects += session.tool_finished("c1", {"rain": True}, START + 1)
    assert not turns(effects)
    (turn,) = turns(feed(session, *answered("r2", "Yes.")))
    assert (turn.user_text, turn.assistant_text) == ("Is it raining?", "Let me look. Yes.")
    assert [(call.name, call.status, call.output) for call in turn.tool_calls] == [
        ("lookup", "completed", {"rain": True})
    ]


@pytest.mark.row("I1")
def test_a_turn_waits_for_the_answer_to_its_tool_though_the_preamble_was_heard_out(session: Session) -> None:
    feed(session, *said("u1", "Hm?"), *called("r1", call_item("c1")))
    session.tool_finished("c1", {}, START + 1)
    assert not turns(wait(session, START + 14))


@pytest.mark.row("I5")
def test_an_answer_that_was_spoken_over_is_interrupted(session: Session) -> None:
    feed(session, *said("u1", "Tell me a story"), *speaking("r1", "Once upon"))
    feed(session, server.SpeechStarted(item_id="u2"))
    (turn,) = turns(feed(session, done("r1", "cancelled")))
    assert (turn.user_text, turn.assistant_text) == ("Tell me a story", "Once upon")
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("I1")
def test_a_greeting_without_words_before_it_is_a_turn_of_its_own(session: Session) -> None:
    feed(session, *answered("r1", "Welcome!"))
    feed(session, *said("u1", "Hello"))
    assert texts(wait(session, START + 5)) == [("", "Welcome!")]
    effects = feed(session, *answered("r2", "Hi"), at=START + 6)
    assert texts(effects) == [("Hello", "Hi")]


@pytest.mark.row("I1")
def test_the_first_words_over_a_greeting_begin_their_own_turn(session: Session) -> None:
    feed(session, *speaking("r1", "Welcome to"), *said("u1", "Hello"), done("r1", "cancelled"))
    feed(session, *answered("r2", "Hi"))
    assert texts(wait(session, START + 5)) == [("", "Welcome to"), ("Hello", "Hi")]


@pytest.mark.row("I1")
def test_a_greeting_that_was_cut_before_its_first_word_joins_the_first_turn(session: Session) -> None:
    feed(session, created("r1"), *said("u1", "Hello"), done("r1", "cancelled"))
    assert texts(feed(session, *answered("r2", "Hi"))) == [("Hello", "Hi")]


@pytest.mark.row("I1")
def test_a_server_that_announces_no_items_still_gets_its_turns_paired(session: Session) -> None:
    assert texts(feed(session, *answered("r1", "Hi"), transcript("u1", "Hello"))) == [("Hello", "Hi")]
    assert texts(feed(session, transcript("u2", "More"), *answered("r2", "Sure"))) == [("More", "Sure")]


def test_without_committed_the_end_of_speech_announces_the_words(session: Session) -> None:
    feed(session, server.SpeechStarted(item_id="u1"), server.SpeechStopped(item_id="u1"))
    assert texts(feed(session, *answered("r1", "Hi"), transcript("u1", "Hello"))) == [("Hello", "Hi")]


def test_a_transcript_of_the_assistants_own_item_is_not_the_users(session: Session) -> None:
    feed(session, *said("u1", "Hello"), *speaking("r1", "Hi"), transcript("item_of_r1", "Hi"))
    assert texts(feed(session, done("r1"), buffer_stopped("r1"))) == [("Hello", "Hi")]
    assert session.settled


@pytest.mark.row("I1")
def test_history_that_somebody_puts_back_is_no_turn(session: Session) -> None:
    old = server.Item(id="old", type="message", role="user", content=[server.ContentPart(type="input_text", text="x")])
    feed(session, server.ItemAdded(item=old))
    assert session.settled


def test_an_item_without_an_id_is_nothing(session: Session) -> None:
    feed(session, server.ItemAdded(item=server.Item(type="message", role="user")))
    assert session.settled
    feed(session, created("r1"), server.OutputItemAdded(response_id="r1", item=server.Item(type="message")), done("r1"))
    assert not turns(wait(session, START + 6))


def test_a_transcript_that_comes_again_is_not_taken_for_the_next_words(session: Session) -> None:
    feed(session, *said("u1", "Hello"), *answered("r1", "Hi"))
    assert not turns(feed(session, *answered("r2", "Still there?"), transcript("u1", "Hello")))
    assert texts(wait(session, START + 5)) == [("", "Still there?")]


def test_giving_up_when_nobody_waits_changes_nothing() -> None:
    ledger = TurnLedger("s")
    ledger.give_up()
    ledger.give_up("r1")
    assert not ledger.owes


# What previous_item_id says


@pytest.mark.row("I1")
def test_an_answer_to_the_earlier_words_leaves_the_later_ones_their_own(session: Session) -> None:
    feed(session, *said("u1", "One"), *said("u2", "Two"))
    assert texts(feed(session, *answered("r1", "First", after="u1"))) == [("One", "First")]
    assert texts(feed(session, *answered("r2", "Second", after="u2"))) == [("Two", "Second")]


@pytest.mark.row("I1")
def test_an_answer_to_the_last_of_several_words_answers_them_all(session: Session) -> None:
    feed(session, *said("u1", "One"), *said("u2", "Two"))
    assert texts(feed(session, *answered("r1", "Both", after="u2"))) == [("One Two", "Both")]


@pytest.mark.row("I1")
def test_a_late_answer_is_placed_at_the_turn_that_it_answers() -> None:
    session = listening(interrupt_response=False)
    feed(session, *said("u1", "One"), *speaking("r1", "First"), *said("u2", "Two"), done("r1"))
    effects = feed(session, *speaking("r2", "and more", after="u1"), done("r2"), buffer_stopped("r2"))
    assert texts(effects + session.close(START)) == [("One", "First and more"), ("Two", "")]


def test_a_call_moves_with_its_response() -> None:
    session = listening(interrupt_response=False)
    feed(session, *said("u1", "One"), *speaking("r1", "First"), *said("u2", "Two"), done("r1"), created("r2"))
    item = call_item("c1")
    feed(session, server.OutputItemDone(response_id="r2", item=item))
    feed(session, server.ItemAdded(item=item, previous_item_id="u1"))
    one, two = turns(session.close(START))
    assert [call.name for call in one.tool_calls] == ["lookup"]
    assert not two.tool_calls


def test_words_that_are_announced_after_their_answer_began_are_its_turn(session: Session) -> None:
    user = server.Item(id="u1", type="message", role="user")
    answer = server.Item(id="a1", type="message", role="assistant")
    feed(session, created("r1"), server.ItemAdded(item=user), transcript("u1", "Hello"))
    feed(session, server.OutputItemAdded(response_id="r1", item=answer))
    feed(session, server.ItemAdded(item=answer, previous_item_id="u1"), spoken("r1", "Hi"), done("r1"))
    assert texts(wait(session, START + 1)) == [("Hello", "Hi")]
    assert session.settled


def test_a_turn_with_two_answers_is_not_split(session: Session) -> None:
    feed(session, *said("u1", "One"), created("r1"), done("r1", "cancelled"), *said("u2", "Two"))
    assert texts(feed(session, *answered("r2", "Both", after="u1"))) == [("One Two", "Both")]


def test_a_place_that_nobody_knows_changes_nothing(session: Session) -> None:
    assert texts(feed(session, *said("u1", "One"), *answered("r1", "First", after="u7"))) == [("One", "First")]


# What turns say about themselves


def test_words_without_an_answer_wait_until_the_end_of_the_talk(session: Session) -> None:
    feed(session, *said("u1", "Hello?"))
    assert not turns(wait(session, START + 60))
    (turn,) = turns(session.close(START + 60))
    assert (turn.user_text, turn.outcome) == ("Hello?", Outcome.INTERRUPTED)


def test_a_turn_without_a_word_is_not_recorded(session: Session) -> None:
    effects = feed(session, *said("u1", ""), created("r1"), done("r1"))
    assert not turns(effects)
    assert session.settled


def test_a_response_that_failed_is_told_in_the_diagnostics(session: Session) -> None:
    (turn,) = turns(feed(session, *said("u1", "Hello"), created("r1"), done("r1", "failed")))
    assert turn.timings["response_status"] == "failed"


@pytest.mark.row("I1")
def test_the_time_from_the_end_of_speech_to_the_first_sound_is_kept(session: Session) -> None:
    feed(session, *said("u1", "Hello"), at=START)
    feed(session, created("r1"), spoken("r1", "Hi"), at=START + 0.4)
    feed(session, buffer_started("r1"), at=START + 0.65)
    (turn,) = turns(feed(session, done("r1"), buffer_stopped("r1"), at=START + 2))
    assert turn.timings == {"response_ms": 650.0, "first_transcript_ms": 0.0, "stt_ms": 0.0}


@pytest.mark.row("N4")
def test_the_times_of_words_and_tools_are_kept(session: Session) -> None:
    began, over = server.SpeechStarted(item_id="u1"), server.SpeechStopped(item_id="u1")
    feed(session, began, at=START)
    feed(session, draft("u1", "Is memory"), at=START + 0.7)  # while it is being said
    feed(session, over, server.InputCommitted(item_id="u1"), at=START + 1.5)
    feed(session, transcript("u1", "Is memory on?"), at=START + 1.62)
    feed(session, *called("r1", call_item("c1")), at=START + 2)
    session.tool_finished("c1", {}, START + 2.3)
    (turn,) = turns(feed(session, *answered("r2", "It is."), at=START + 3))
    assert {name: turn.timings[name] for name in ("first_transcript_ms", "stt_ms", "tool_ms")} == {
        "first_transcript_ms": 700.0,
        "stt_ms": 120.0,
        "tool_ms": 300.0,
    }


def test_words_that_come_in_parts_are_timed_by_the_first_and_the_last(session: Session) -> None:
    feed(session, *said("u1"), at=START)
    feed(session, *said("u2"), at=START + 2)
    feed(session, transcript("u2", "and milk"), at=START + 2.5)
    feed(session, transcript("u1", "Tea"), at=START + 3)
    (turn,) = turns(feed(session, *answered("r1", "Both"), at=START + 4))
    assert (turn.timings["first_transcript_ms"], turn.timings["stt_ms"]) == (3000.0, 500.0)


@pytest.mark.row("N4")
def test_what_the_owner_measures_is_told_once_with_the_next_turn(session: Session) -> None:
    for name, ms in (("connect_ms", 40.0), ("stop_ms", 12.0), ("stop_ms", 9.0)):
        session.measured(name, ms)
    (turn,) = turns(feed(session, *said("u1", "Hello"), *answered("r1", "Hi")))
    assert (turn.timings["connect_ms"], turn.timings["stop_ms"]) == (40.0, 12.0)
    (turn,) = turns(feed(session, *said("u2", "Hello"), *answered("r2", "Hi")))
    assert "connect_ms" not in turn.timings


def test_a_sound_before_the_last_words_is_no_answer_to_them(session: Session) -> None:
    feed(session, *said("u1", "Tea"), created("r1"), buffer_started("r1"), at=START)
    feed(session, *said("u2", "and milk"), done("r1", "cancelled"), at=START + 3)
    text = server.TextDone(response_id="r2", text="Both")
    (turn,) = turns(feed(session, created("r2"), text, done("r2"), at=START + 4))
    assert (turn.user_text, turn.timings) == (
        "Tea and milk",
        {"first_transcript_ms": 0.0, "stt_ms": 0.0},
    )


@pytest.mark.row("D12")
def test_the_pauses_within_a_thought_are_measured(session: Session) -> None:
    for item, begins, ends in (("u1", 0.0, 1.0), ("u2", 1.4, 2.0), ("u3", 2.8, 3.5)):
        feed(session, server.SpeechStarted(item_id=item), at=START + begins)
        over = (server.SpeechStopped(item_id=item), server.InputCommitted(item_id=item))
        feed(session, *over, transcript(item, "and"), at=START + ends)
    (turn,) = turns(feed(session, *answered("r1", "All of it"), at=START + 5))
    assert turn.timings["user_pause_ms"] == 600.0  # of 400 and 800
    (turn,) = turns(feed(session, *said("u4", "Yes"), *answered("r2", "Good"), at=START + 9))
    assert "user_pause_ms" not in turn.timings  # so late it is a new thought


@pytest.mark.row("D12")
def test_who_breaks_in_on_an_answer_that_just_began_had_not_finished(session: Session) -> None:
    feed(session, *said("u1", "I have"), at=START)
    feed(session, created("r1"), spoken("r1", "Yes"), buffer_started("r1"), at=START + 0.3)
    feed(session, server.SpeechStarted(item_id="u2"), at=START + 0.5)
    cut = (server.OutputBufferCleared(response_id="r1"), done("r1", "cancelled"))
    feed(session, *cut, at=START + 0.6)
    over = (server.SpeechStopped(item_id="u2"), server.InputCommitted(item_id="u2"), transcript("u2", "a question"))
    feed(session, *over, at=START + 1.5)
    (turn,) = turns(feed(session, *answered("r2", "Which?"), at=START + 3))
    assert (turn.user_text, turn.timings["user_pause_ms"]) == ("a question", 500.0)


@pytest.mark.row("I3")
def test_a_typed_line_is_timed_to_the_first_word_or_sound_of_its_answer(session: Session) -> None:
    """Not as ``response_ms``: that is from the end of speech, and nobody spoke."""
    session.send_text("Hello", START)
    feed(session, created("r1"), spoken("r1", "Hi"), at=START + 0.4)
    feed(session, buffer_started("r1"), at=START + 0.65)
    (turn,) = turns(feed(session, done("r1"), buffer_stopped("r1"), at=START + 2))
    assert turn.timings == {"typed_response_ms": 400.0}


@pytest.mark.row("I3")
def test_an_answer_whose_words_come_with_its_end_is_timed_by_it(session: Session) -> None:
    session.send_text("Hello", START)
    feed(session, created("r1"), at=START + 0.4)
    (turn,) = turns(feed(session, server.TextDone(response_id="r1", text="Hi"), done("r1"), at=START + 1.5))
    assert turn.timings == {"typed_response_ms": 1500.0}


def test_a_word_before_the_typed_line_is_no_answer_to_it(session: Session) -> None:
    feed(session, *said("u1", "Tea"), created("r1"), spoken("r1", "Which"), at=START)
    session.send_text("Milk", START + 1)
    feed(session, done("r1", "cancelled"), at=START + 1)
    found = turns(
        feed(session, created("r2"), server.TextDone(response_id="r2", text="Both"), done("r2"), at=START + 4)
    )
    assert found[-1].timings == {"typed_response_ms": 3000.0}


@pytest.mark.row("I1")
@pytest.mark.parametrize("first", ["assistant's item before the user's", "item before its response's output"])
def test_a_previous_item_that_is_not_known_yet_is_remembered(session: Session, first: str) -> None:
    user = server.ItemAdded(item=server.Item(id="u1", type="message", role="user"))
    output = server.OutputItemAdded(response_id="r1", item=server.Item(id="a1", type="message"))
    answer = server.ItemAdded(item=server.Item(id="a1", type="message", role="assistant"), previous_item_id="u1")
    order = [output, answer, user] if first.startswith("assistant") else [user, answer, output]
    feed(session, created("r1"), *order, transcript("u1", "hi"), spoken("r1", "Hello"), done("r1"))
    feed(session, *said("u2", "bye"), *answered("r2", "Goodbye"))
    assert texts(wait(session, START + 6)) == [("hi", "Hello"), ("bye", "Goodbye")]


def test_a_tool_is_given_the_last_lines_only(session: Session) -> None:
    for index in range(12):
        feed(session, *said(f"u{index}", "x" * 2000), *answered(f"r{index}", "y"))
    feed(session, *said("u", "now"), created("r"))
    (call,) = (e for e in feed(session, call_done("r", call_item("c1"))) if isinstance(e, CallTool))
    assert sum(len(line.content) for line in call.transcript) <= REMEMBERED_CHARACTERS
    assert call.transcript[-1].content == "now"


# Turns that got no answer


@pytest.mark.row("I1", "I5")
@pytest.mark.parametrize("status", ["failed", "incomplete"])
def test_words_whose_only_response_came_to_nothing_are_not_completed(session: Session, status: str) -> None:
    (turn,) = turns(feed(session, *said("u1", "Hello"), created("r1"), done("r1", status)))
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("I1", "I5")
def test_half_an_answer_that_failed_is_not_completed(session: Session) -> None:
    (turn,) = turns(
        feed(session, *said("u1", "Hello"), created("r1"), spoken("r1", "Hi th"), done("r1", "failed"))
        + wait(session, START + 1)
    )
    assert (turn.assistant_text, turn.outcome) == ("Hi th", Outcome.INTERRUPTED)


@pytest.mark.row("I1")
def test_a_response_that_is_silent_on_purpose_completes_its_turn(session: Session) -> None:
    (turn,) = turns(feed(session, *said("u1", "Hm"), created("r1"), done("r1")))
    assert turn.outcome is Outcome.COMPLETED


@pytest.mark.row("I1")
def test_a_second_try_that_succeeds_completes_the_turn(session: Session) -> None:
    feed(session, *said("u1"), created("r1"), done("r1", "failed"))
    (turn,) = turns(feed(session, *answered("r2", "Hi"), transcript("u1", "Hello")))
    assert turn.outcome is Outcome.COMPLETED


@pytest.mark.row("I1", "I5")
def test_words_that_only_wait_for_their_transcript_are_interrupted_if_nobody_answered_them(session: Session) -> None:
    feed(session, *said("u1"), created("r1"), done("r1", "failed"))
    session.close(START)
    (turn,) = turns(feed(session, transcript("u1", "Hello")))
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("I1")
def test_where_the_server_does_not_answer_by_itself_words_that_nobody_wants_answered_are_a_turn() -> None:
    session = listening(create_response=False)
    feed(session, *said("u1", "Hello"))
    assert not turns(wait(session, START + UNASKED_TIMEOUT - 0.1))
    (turn,) = turns(wait(session, START + UNASKED_TIMEOUT))
    assert (turn.user_text, turn.outcome) == ("Hello", Outcome.INTERRUPTED)
    assert session.settled


@pytest.mark.row("I1")
def test_where_the_server_does_not_answer_by_itself_an_answer_may_be_asked_for() -> None:
    session = listening(create_response=False)
    feed(session, *said("u1", "Hello"))
    assert sent(session.respond(START + 1)) == [CREATE]
    assert not turns(wait(session, START + UNASKED_TIMEOUT + 1))
    assert texts(feed(session, *answered("r1", "Hi"))) == [("Hello", "Hi")]


def test_nothing_is_answered_outside_a_talk() -> None:
    with pytest.raises(NotConnected):
        Session("s").respond(START)
