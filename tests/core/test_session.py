"""The life of a session: its states, its end, and the silence after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.effects import CallTool, SendEvent
from couchvoice.core.notices import StateChanged, UserTranscript
from couchvoice.core.session import WARMING_TIMEOUT, Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from couchvoice.errors import InvalidState, NotConnected
from tests.core.talk import (
    START,
    answered,
    buffer_stopped,
    call_item,
    called,
    created,
    done,
    draft,
    error,
    feed,
    of,
    said,
    speaking,
    states,
    texts,
    transcript,
    turns,
    wait,
)

CREATED = server.SessionCreated(session={"type": "realtime"})


def fresh() -> Session:
    return Session("s")


def connecting() -> Session:
    session = fresh()
    session.start()
    return session


def warming() -> Session:
    session = connecting()
    session.opened(START)
    return session


def user_speaking() -> Session:
    session = warming()
    feed(session, CREATED, server.SpeechStarted(item_id="u1"))
    return session


def thinking() -> Session:
    session = warming()
    feed(session, CREATED, *said("u1", "Hello"))
    return session


def assistant_speaking() -> Session:
    session = thinking()
    feed(session, *speaking("r1", "Hi"))
    return session


PLACES: list[tuple[Callable[[], Session], SessionState]] = [
    (fresh, SessionState.IDLE),
    (connecting, SessionState.CONNECTING),
    (warming, SessionState.WARMING),
    (user_speaking, SessionState.USER_SPEAKING),
    (thinking, SessionState.THINKING),
    (assistant_speaking, SessionState.ASSISTANT_SPEAKING),
]


# States


@pytest.mark.row("E4")
def test_a_turn_goes_through_all_the_states_of_a_talk() -> None:
    session = fresh()
    effects = session.start() + session.opened(START)
    effects += feed(session, CREATED, *said("u1", "Hello"), *answered("r1", "Hi"))
    effects += session.close(START) + session.ended()
    assert states(effects) == [
        SessionState.CONNECTING,
        SessionState.WARMING,
        SessionState.LISTENING,
        SessionState.USER_SPEAKING,
        SessionState.THINKING,
        SessionState.ASSISTANT_SPEAKING,
        SessionState.LISTENING,
        SessionState.FINALIZING,
        SessionState.ENDED,
    ]


@pytest.mark.row("A4")
def test_a_server_that_never_says_session_created_is_warm_after_a_second() -> None:
    session = warming()
    assert session.next_timeout() == START + WARMING_TIMEOUT
    assert session.handle_timeout(START) == []
    assert wait(session, START + WARMING_TIMEOUT) == [StateChanged(SessionState.LISTENING)]
    assert session.next_timeout() is None
    assert feed(session, CREATED) == []


@pytest.mark.row("E4")
def test_a_server_may_speak_before_it_says_session_created() -> None:
    session = warming()
    feed(session, server.SpeechStarted(item_id="u1"), transcript("u1", ""))
    config = {"audio": {"input": {"turn_detection": None}}}
    feed(session, server.SessionUpdated(session=config), server.SpeechStopped(item_id="u1"))
    assert session.state is SessionState.LISTENING
    assert wait(session, START + 5) == []


@pytest.mark.row("A4")
@pytest.mark.parametrize("place", [fresh, connecting])
def test_text_before_the_channel_is_open_is_refused(place: Callable[[], Session]) -> None:
    session = place()
    with pytest.raises(NotConnected):
        session.send_text("Hello", START)
    with pytest.raises(NotConnected):
        session.interrupt(START)


@pytest.mark.row("A4")
def test_text_may_be_sent_as_soon_as_the_channel_is_open() -> None:
    assert of(SendEvent, warming().send_text("Hello", START))


@pytest.mark.parametrize("place", [fresh, connecting])
def test_facts_before_the_channel_is_open_lead_to_nothing(place: Callable[[], Session]) -> None:
    session = place()
    effects = feed(session, CREATED, *said("u1", "Hello"))
    effects += session.playback_changed(START, audible=True) + session.handle_timeout(START)
    assert effects + session.tool_finished("c1", {}, START) == []
    assert session.settled
    assert session.next_timeout() is None


def test_a_step_that_the_state_does_not_allow_is_refused() -> None:
    with pytest.raises(InvalidState):
        fresh().opened(START)
    with pytest.raises(InvalidState):
        warming().start()


@pytest.mark.row("E1")
def test_what_nobody_acts_on_is_counted(session: Session) -> None:
    effects = feed(session, server.Unknown(type="rate_limits.updated", payload="{}"), server.Malformed(reason="bytes"))
    assert effects == []
    assert (session.unknown_events, session.malformed_messages) == (1, 1)


def test_a_session_is_settled_when_nobody_waits_for_anything(session: Session) -> None:
    steps: list[list[server.ServerEvent]] = [
        [],
        [server.SpeechStarted(item_id="u1")],
        [*said("u1", "Hello"), *speaking("r1", "Hi"), done("r1")],
        [buffer_stopped("r1")],
    ]
    settled = []
    for events in steps:
        feed(session, *events)
        settled.append(session.settled)
    assert settled == [True, False, False, True]


# The end


@pytest.mark.parametrize(("place", "state"), PLACES)
def test_a_session_can_be_closed_in_every_state_and_once(place: Callable[[], Session], state: SessionState) -> None:
    session = place()
    assert session.state is state
    assert states(session.close(START)) == [SessionState.FINALIZING]
    assert session.close(START) == session.lost(START) == []
    assert session.settled
    assert session.ended() == [StateChanged(SessionState.ENDED)]
    assert session.ended() == session.close(START) == []


@pytest.mark.row("I5")
@pytest.mark.parametrize(("place", "state"), PLACES)
def test_a_session_can_be_lost_in_every_state(place: Callable[[], Session], state: SessionState) -> None:
    session = place()
    assert session.state is state
    effects = session.lost(START)
    assert states(effects) == [SessionState.FINALIZING]
    assert {turn.outcome for turn in turns(effects)} <= {Outcome.CONNECTION_INTERRUPTED}
    assert session.settled


@pytest.mark.parametrize(("place", "state"), PLACES)
def test_a_session_can_end_from_every_state(place: Callable[[], Session], state: SessionState) -> None:
    session = place()
    assert session.state is state
    assert session.ended() == [StateChanged(SessionState.ENDED)]


@pytest.mark.row("I5")
def test_a_turn_that_was_cut_by_the_user_leaving_holds_what_was_said_so_far(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"))
    (turn,) = turns(session.close(START))
    assert (turn.user_text, turn.assistant_text) == ("Go on", "Once upon")
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("I5")
def test_a_turn_that_was_cut_by_losing_the_provider_says_so(session: Session) -> None:
    feed(session, *said("u1"), draft("u1", "Go"), *speaking("r1", "Once upon"))
    (turn,) = turns(session.lost(START))
    assert (turn.user_text, turn.assistant_text) == ("Go", "Once upon")
    assert turn.outcome is Outcome.CONNECTION_INTERRUPTED
    assert turn.timings["user_transcript"] == "missing"


@pytest.mark.row("I5")
def test_a_turn_that_was_heard_out_before_the_end_is_completed(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "Hi"))
    (turn,) = turns(session.lost(START))
    assert turn.outcome is Outcome.COMPLETED


@pytest.mark.row("I1")
def test_at_the_end_a_transcript_is_awaited_one_second(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "Hi"))
    assert not turns(session.close(START + 2) + wait(session, START + 2.99))
    assert not session.settled
    assert texts(wait(session, START + 3)) == [("", "Hi")]
    assert session.settled


@pytest.mark.row("I1")
def test_words_that_come_in_the_last_second_are_recorded(session: Session) -> None:
    feed(session, *said("u1"), *speaking("r1", "Hi"))
    session.close(START)
    effects = feed(session, transcript("u1", "Hello"), at=START + 0.9)
    assert effects[0] == UserTranscript("u1", "Hello", final=True)
    assert texts(effects) == [("Hello", "Hi")]


def test_words_that_nobody_had_announced_before_the_end_are_no_turn(session: Session) -> None:
    feed(session, server.SpeechStarted(item_id="u1"))
    session.close(START)
    assert not turns(feed(session, transcript("u1", "Hello")) + wait(session, START + 9))
    assert session.settled


def test_after_the_end_nothing_is_sent_and_nothing_runs(session: Session) -> None:
    feed(session, *said("u1"), *called("r1", call_item("c1")))
    session.send_text("And this", START)
    session.close(START)
    effects = session.tool_finished("c1", {}, START)
    effects += feed(session, created("r2"), done("r2", output=[call_item("c2")]), error("session_expired"))
    effects += feed(session, server.SpeechStarted(item_id="u2"), CREATED, *said("u3", "More"))
    effects += session.playback_changed(START, audible=True) + wait(session, START + 60)
    assert not of(SendEvent, effects) + of(CallTool, effects)
    assert not states(effects)
    with pytest.raises(NotConnected):
        session.send_text("Hello", START)


def test_after_everything_is_released_there_is_nothing_at_all(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "Hi"))
    session.close(START)
    session.ended()
    effects = feed(session, transcript("u1", "Hello"), *said("u2", "More")) + session.handle_timeout(START + 9)
    assert effects + session.playback_changed(START, audible=False) + session.lost(START) == []
    assert session.next_timeout() is None
