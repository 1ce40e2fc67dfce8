"""What the model says after its tools: to which turn it belongs, and what becomes of it when the user goes on."""

from __future__ import annotations

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.responses import SERVER_TIMEOUT
from couchvoice.core.session import Session
from couchvoice.core.session_update import turn_detection_of
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from tests.core.conftest import listening
from tests.core.talk import (
    CREATE,
    ITEM,
    START,
    answered,
    asked,
    call_done,
    call_item,
    called,
    created,
    done,
    error,
    feed,
    said,
    sent,
    states,
    texts,
    transcript,
    turns,
    wait,
)

SPEECH = server.SpeechStarted(item_id="u2")
STOPPED = server.SpeechStopped(item_id="u2")
COMMITTED = server.InputCommitted(item_id="u2")


def calling(session: Session) -> Session:
    """A tool runs, and the response that called it is over."""
    feed(session, *said("u1", "Tea?"), *called("r1", call_item("c1")))
    return session


# Typed lines


@pytest.mark.row("F1", "I1")
def test_a_line_that_waits_for_a_tools_answer_gets_its_own(session: Session) -> None:
    feed(session, *said("u1", "Tea?"), created("r1"), call_done("r1", call_item("c1")))
    assert sent(session.send_text("Milk?", START)) == [ITEM]
    session.tool_finished("c1", {}, START)
    assert sent(feed(session, done("r1"))) == ["c1", CREATE]
    effects = feed(session, *answered("r2", "Green tea."))
    assert texts(effects) == [("Tea?", "Green tea.")]
    assert sent(effects) == [CREATE]
    assert texts(feed(session, *answered("r3", "No milk."))) == [("Milk?", "No milk.")]
    assert session.settled


@pytest.mark.row("F1", "I1")
def test_a_tools_answer_after_that_of_a_later_line_lands_in_its_own_turn(session: Session) -> None:
    calling(session)
    session.send_text("Milk?", START)
    feed(session, created("r2"))
    session.tool_finished("c1", {}, START)
    effects = feed(session, *answered("r2", "No milk."))
    assert sent(effects) == [CREATE]
    assert not turns(effects)
    effects = feed(session, *answered("r3", "Green tea."))
    assert texts(effects) == [("Tea?", "Green tea."), ("Milk?", "No milk.")]
    assert {turn.outcome for turn in turns(effects)} == {Outcome.COMPLETED}


@pytest.mark.row("F1", "I1")
def test_a_tools_answer_that_was_refused_lands_in_its_turn_when_it_comes(session: Session) -> None:
    calling(session)
    request = asked(session.tool_finished("c1", {}, START))
    session.send_text("Milk?", START)
    effects = feed(session, error("conversation_already_has_active_response", request), created("r_x"), done("r_x"))
    assert sent(effects) == [CREATE]
    effects = feed(session, *answered("r2", "Green tea."))
    effects += feed(session, *answered("r3", "No milk."))
    assert texts(effects) == [("Tea?", "Green tea."), ("Milk?", "No milk.")]


# Speech


@pytest.mark.row("E5", "F1")
def test_nothing_is_asked_for_while_the_user_speaks(session: Session) -> None:
    feed(calling(session), SPEECH)
    assert sent(session.tool_finished("c1", {}, START)) == ["c1"]
    assert sent(feed(session, STOPPED, COMMITTED)) == []
    assert session.state is SessionState.THINKING


@pytest.mark.row("E5", "F1", "I5")
def test_the_servers_own_answer_to_speech_covers_the_outputs_that_waited(session: Session) -> None:
    feed(calling(session), SPEECH)
    session.tool_finished("c1", {}, START)
    effects = feed(session, STOPPED, COMMITTED, transcript("u2", "Quick!"), *answered("r2", "Green tea."))
    assert sent(effects) == []
    assert texts(effects) == [("Tea?", ""), ("Quick!", "Green tea.")]
    assert [turn.outcome for turn in turns(effects)] == [Outcome.INTERRUPTED, Outcome.COMPLETED]
    assert session.settled


@pytest.mark.row("E5")
def test_a_server_that_does_not_answer_speech_after_all_is_asked(session: Session) -> None:
    feed(calling(session), SPEECH)
    session.tool_finished("c1", {}, START)
    feed(session, STOPPED, COMMITTED)
    assert sent(wait(session, START + SERVER_TIMEOUT - 0.1)) == []
    assert sent(wait(session, START + SERVER_TIMEOUT)) == [CREATE]


@pytest.mark.row("E5")
def test_speech_that_goes_on_holds_what_was_left_to_the_server(session: Session) -> None:
    feed(calling(session), SPEECH)
    session.tool_finished("c1", {}, START)
    feed(session, STOPPED, COMMITTED, server.SpeechStarted(item_id="u3"))
    assert sent(wait(session, START + SERVER_TIMEOUT)) == []
    assert sent(feed(session, *said("u3"), *answered("r2", "Green tea."))) == []


@pytest.mark.row("E5", "F1")
def test_a_server_that_never_answers_speech_is_asked_when_the_words_are_committed() -> None:
    session = listening(create_response=False)
    feed(calling(session), SPEECH)
    session.tool_finished("c1", {}, START)
    effects = feed(session, STOPPED)
    assert sent(effects) == []
    effects += feed(session, COMMITTED)
    assert sent(effects) == [CREATE]
    effects += feed(session, transcript("u2", "Quick!"), *answered("r2", "Green tea."))
    assert texts(effects) == [("Tea?", ""), ("Quick!", "Green tea.")]


@pytest.mark.row("I5")
def test_speech_while_a_tool_runs_cuts_its_turn(session: Session) -> None:
    effects = feed(calling(session), SPEECH, STOPPED, COMMITTED, transcript("u2", "Stop"), *answered("r2", "Yes."))
    effects += session.tool_finished("c1", {}, START)
    first, *_ = turns(effects)
    assert (first.user_text, first.outcome) == ("Tea?", Outcome.INTERRUPTED)


@pytest.mark.row("I5")
def test_a_press_while_a_tool_runs_cuts_its_turn_and_asks_for_one_answer() -> None:
    session = Session("s")
    session.start()
    session.configured({"audio": {"input": {"turn_detection": None}}}, START)
    session.opened(START)
    session.send_text("Tea?", START)
    feed(session, *called("r1", call_item("c1")))
    session.begin_speaking(START)
    assert sent(session.tool_finished("c1", {}, START + 1)) == ["c1"]
    session.end_speaking(START + 2)
    wait(session, START + 2.5)
    effects = feed(session, COMMITTED, transcript("u2", "Quick!"), *answered("r2", "Green tea."))
    assert sent(effects) == [CREATE]
    assert [(turn.user_text, turn.outcome) for turn in turns(effects)] == [
        ("Tea?", Outcome.INTERRUPTED),
        ("Quick!", Outcome.COMPLETED),
    ]


@pytest.mark.row("D11", "E4")
def test_speech_ends_when_detection_is_switched_off_in_it(session: Session) -> None:
    feed(calling(session), SPEECH)
    session.tool_finished("c1", {}, START)
    session.update(turn_detection_of(None), START)
    effects = feed(session, server.SessionUpdated(session={}))
    assert sent(effects) == [CREATE]
    assert states(effects) == [SessionState.THINKING]
    effects = feed(session, *answered("r2", "Green tea."), SPEECH)
    effects += session.begin_speaking(START) + session.end_speaking(START)
    assert states(effects)[-2:] == [SessionState.USER_SPEAKING, SessionState.LISTENING]
    assert session.settled
