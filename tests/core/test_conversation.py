"""What leads to what while the talk lasts: typed lines, errors, and requests that meet."""

from __future__ import annotations

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.client_events import InputText, ItemCreate, UserMessage
from couchvoice.core.conversation import Conversation
from couchvoice.core.effects import EndSession, SendEvent
from couchvoice.core.error_codes import ALREADY_ACTIVE, BENIGN, FATAL
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem, UserTranscript
from couchvoice.core.responses import REQUEST_TIMEOUT, RETRY_DELAY
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from tests.core.conftest import listening
from tests.core.talk import (
    CREATE,
    ITEM,
    START,
    answered,
    asked,
    buffer_stopped,
    call_done,
    call_item,
    called,
    created,
    done,
    draft,
    error,
    feed,
    of,
    said,
    sent,
    speaking,
    spoken,
    states,
    texts,
    transcript,
    turns,
    wait,
)

# Transcripts


@pytest.mark.row("E2")
def test_drafts_are_cumulative_and_the_final_text_replaces_them(session: Session) -> None:
    effects = feed(session, *said("u1"), draft("u1", "Hel"), draft("u1", "o"), transcript("u1", "Hello."))
    assert of(UserTranscript, effects) == [
        UserTranscript("u1", "Hel", final=False),
        UserTranscript("u1", "Helo", final=False),
        UserTranscript("u1", "Hello.", final=True),
    ]


# Typed lines


@pytest.mark.row("E7")
def test_a_typed_line_is_sent_and_answered_as_a_turn(session: Session) -> None:
    effects = session.send_text("Hello", START)
    item, create = of(SendEvent, effects)
    assert isinstance(item.event, ItemCreate)
    assert isinstance(item.event.item, UserMessage)
    assert item.event.item.content == (InputText("Hello"),)
    assert sent([create]) == [CREATE]
    assert UserTranscript(item.event.item.id, "Hello", final=True) in effects
    echo = server.Item(
        id=item.event.item.id, type="message", role="user", content=[server.ContentPart(type="input_text")]
    )
    effects = feed(session, server.ItemAdded(item=echo), *answered("r1", "Hi"))
    assert texts(effects) == [("Hello", "Hi")]


@pytest.mark.row("E7")
def test_a_typed_line_during_an_answer_is_answered_after_it(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"))
    assert sent(session.send_text("Shorter", START)) == [ITEM]
    effects = feed(session, done("r1"), buffer_stopped("r1"))
    assert sent(effects) == [CREATE]
    assert texts(effects) == [("Go on", "Once upon")]
    assert texts(feed(session, *answered("r2", "The end"))) == [("Shorter", "The end")]


@pytest.mark.row("E7")
def test_two_typed_lines_before_one_answer_are_one_turn(session: Session) -> None:
    session.send_text("Tea", START)
    assert sent(session.send_text("and milk", START)) == [ITEM]
    effects = feed(session, *answered("r1", "Both"))
    assert sent(effects) == [CREATE]
    assert texts(feed(session, *answered("r2", "Indeed"))) == [("Tea and milk", "Both Indeed")]


@pytest.mark.row("E7")
def test_typed_and_spoken_turns_mix(session: Session) -> None:
    session.send_text("One", START)
    effects = feed(session, *answered("r1", "First"), *said("u2", "Two"), *answered("r2", "Second"))
    assert texts(effects) == [("One", "First"), ("Two", "Second")]


def test_a_typed_line_with_broken_bytes_is_sent_readable(session: Session) -> None:
    assert of(UserTranscript, session.send_text("caf\udce9", START))[0].text == "caf?"


@pytest.mark.row("E6")
def test_speech_is_answered_without_our_asking(session: Session) -> None:
    assert sent(feed(session, *said("u1", "Hello"), *answered("r1", "Hi"))) == []


# Errors


@pytest.mark.row("E5", "E9")
@pytest.mark.parametrize("code", sorted(BENIGN))
def test_a_lost_race_is_not_shown(session: Session, code: str) -> None:
    assert feed(session, error(code), error(code, "event_of_nobody")) == []


@pytest.mark.row("E9")
@pytest.mark.parametrize("code", sorted(FATAL))
def test_an_error_after_which_nothing_is_served_ends_the_session(session: Session, code: str) -> None:
    assert feed(session, error(code, message="over")) == [EndSession(code, "over")]


@pytest.mark.row("E9", "I5")
def test_a_turn_that_the_providers_end_cuts_was_cut_by_the_connection(session: Session) -> None:
    session.send_text("Hello", START)
    feed(session, error("session_expired"))
    (turn,) = turns(session.close(START))
    assert turn.outcome is Outcome.CONNECTION_INTERRUPTED


@pytest.mark.row("E9")
def test_any_other_error_is_told_and_the_talk_goes_on(session: Session) -> None:
    nameless = server.ErrorReported(error=server.ErrorDetail(type="server_error", message="oops"))
    bare = server.ErrorReported(error=server.ErrorDetail(message="oops"))
    assert feed(session, error("invalid_value"), nameless, bare) == [
        Problem("invalid_value", "no"),
        Problem("server_error", "oops"),
        Problem("error", "oops"),
    ]
    assert texts(feed(session, *said("u1", "Hello"), *answered("r1", "Hi"))) == [("Hello", "Hi")]


@pytest.mark.row("E5")
def test_a_continuation_that_the_servers_own_response_refused_is_asked_for_again_after_it(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    event_id = asked(session.tool_finished("c1", {}, START))
    effects = feed(session, created("r_vad"), error(ALREADY_ACTIVE, event_id))
    assert sent(effects) == []
    assert sent(feed(session, done("r_vad"))) == [CREATE]
    assert texts(feed(session, *answered("r3", "It rains."))) == [("Tea?", "It rains.")]


@pytest.mark.row("E5")
def test_a_continuation_that_nothing_we_know_of_refused_is_asked_for_again_soon(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    event_id = asked(session.tool_finished("c1", {}, START))
    effects = feed(session, error(ALREADY_ACTIVE, event_id), error(ALREADY_ACTIVE, event_id))
    assert sent(effects + wait(session, START + RETRY_DELAY - 0.1)) == []
    assert sent(wait(session, START + RETRY_DELAY)) == [CREATE]
    assert texts(feed(session, *answered("r2", "It rains."))) == [("Tea?", "It rains.")]


@pytest.mark.row("E9")
def test_a_request_that_was_rejected_leaves_its_words_without_an_answer(session: Session) -> None:
    event_id = asked(session.send_text("Hello", START))
    effects = feed(session, error("invalid_value", event_id))
    assert texts(effects) == [("Hello", "")]
    assert session.state is SessionState.LISTENING
    assert session.settled


@pytest.mark.row("E9")
def test_a_request_behind_the_rejected_one_is_made(session: Session) -> None:
    event_id = asked(session.send_text("Hello", START))
    session.send_text("Again", START)
    assert sent(feed(session, error("invalid_value", event_id))) == [CREATE]
    assert texts(feed(session, *answered("r1", "Hi"))) == [("Hello Again", "Hi")]


@pytest.mark.row("E9")
def test_a_request_that_nobody_answers_does_not_hold_the_talk_for_ever(session: Session) -> None:
    session.send_text("Hello", START)
    effects = wait(session, START + REQUEST_TIMEOUT)
    assert [problem.code for problem in of(Problem, effects)] == ["response_timeout"]
    assert texts(effects) == [("Hello", "")]
    assert session.settled


def test_a_continuation_that_was_rejected_closes_its_turn(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), *speaking("r1", "Let me look."))
    feed(session, done("r1", output=[call_item("c1")]), buffer_stopped("r1"))
    event_id = asked(session.tool_finished("c1", {}, START))
    (turn,) = turns(feed(session, error("invalid_value", event_id)))
    assert (turn.assistant_text, turn.outcome) == ("Let me look.", Outcome.COMPLETED)


# Odd servers


def test_response_done_without_response_created_is_a_response(session: Session) -> None:
    output = [server.Item(type="message", content=[server.ContentPart(type="output_text", text="Hi")])]
    assert texts(feed(session, *said("u1", "Hello"), done("r1", output=output))) == [("Hello", "Hi")]


def test_a_response_whose_end_was_lost_ends_with_the_next(session: Session) -> None:
    feed(session, *said("u1", "One"), created("r1"), *said("u2", "Two"))
    session.send_text("Three", START)
    assert sent(feed(session, created("r2"), done("r2"))) == [CREATE]


def test_the_end_of_a_response_whose_turn_is_over_is_nothing(session: Session) -> None:
    effects = feed(session, *said("u1", "One"), created("r1"), *said("u2", "Two"), *answered("r2", "Both"))
    assert texts(effects) == [("One", ""), ("Two", "Both")]
    assert feed(session, done("r1"), created("r1"), done("r2")) == []


def test_late_words_and_calls_of_a_response_whose_turn_is_over_are_nothing(session: Session) -> None:
    assert turns(feed(session, *said("u1", "One"), created("r1"), *answered("r2", "Yes")))
    assert feed(session, spoken("r1", "late"), call_done("r1", call_item("c1"))) == []


@pytest.mark.row("E4")
def test_where_the_server_does_not_answer_speech_by_itself_nobody_thinks() -> None:
    session = listening(create_response=False)
    feed(session, *said("u1", "Hello"))
    assert session.state is SessionState.LISTENING


@pytest.mark.row("E4")
def test_a_commit_ends_speech_where_speech_stopped_does_not_come(session: Session) -> None:
    effects = feed(session, server.SpeechStarted(item_id="u1"), server.InputCommitted(item_id="u0"))
    assert states(effects) == [SessionState.USER_SPEAKING]
    assert states(feed(session, server.InputCommitted(item_id="u1"))) == [SessionState.THINKING]


def test_every_event_twice_leads_to_one_of_each(session: Session) -> None:
    item = call_item("c1")
    talk = [*said("u1", "Tea?"), *called("r1", item), *said("u2", "Hello"), *answered("r2", "Hi")]
    doubled = [event for event in talk for _ in range(2)]
    effects = feed(session, *doubled)
    effects += session.tool_finished("c1", {}, START) + session.tool_finished("c1", {}, START)
    effects += feed(session, *answered("r3", "It rains."))
    assert [turn.user_text for turn in turns(effects)] == ["Tea?", "Hello"]
    assert sent(effects) == ["c1", CREATE]


def test_an_event_without_a_case_of_its_own_is_a_bug_and_not_ignored() -> None:
    conversation = Conversation("s", Ids("s"), speaks_text=False)
    with pytest.raises(AssertionError):
        conversation.receive(object(), START)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        conversation.transcribed(object(), START)  # type: ignore[arg-type]
