"""Answers that come in writing: they are turns like any others, and may be given a voice here."""

from __future__ import annotations

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.ear import BUFFER_EVENT_TIMEOUT, SYNTHESIS_TIMEOUT
from couchvoice.core.effects import Effect, FlushPlayback, SpeakText
from couchvoice.core.notices import AssistantTranscript, Interrupted
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from tests.core.talk import (
    START,
    buffer_started,
    buffer_stopped,
    created,
    done,
    feed,
    of,
    said,
    speaking,
    states,
    texts,
    turns,
    wait,
)


def wrote(response_id: str, text: str) -> list[server.ServerEvent]:
    """A written answer, up to response.done."""
    return [
        created(response_id),
        server.TextDelta(response_id=response_id, delta=text[:3]),
        server.TextDone(response_id=response_id, text=text),
        done(response_id),
    ]


@pytest.fixture
def speaker() -> Session:
    """A session whose owner speaks what is only written."""
    session = Session("s", speaks_text=True)
    session.start()
    session.opened(START)
    feed(session, server.SessionCreated(session={"type": "realtime"}))
    return session


@pytest.mark.row("E8", "E10")
def test_it_is_shown_and_recorded_without_any_sound(session: Session) -> None:
    effects = feed(session, *said("u1", "Hello."), *wrote("r1", "Good day."))
    assert [notice.text for notice in of(AssistantTranscript, effects)] == ["Goo", "Good day.", "Good day."]
    assert texts(effects) == [("Hello.", "Good day.")]
    assert session.settled
    assert states(effects)[-2:] == [SessionState.THINKING, SessionState.LISTENING]
    assert not of(SpeakText, effects)


@pytest.mark.row("E10")
@pytest.mark.parametrize("kind", ["output_text", "text"])
def test_without_deltas_the_words_of_the_end_will_do(session: Session, kind: str) -> None:
    item = server.Item(id="a1", type="message", role="assistant", content=[server.ContentPart(type=kind, text="Hi.")])
    effects = feed(session, *said("u1", "Hello."), created("r1"), done("r1", output=[item]))
    assert texts(effects) == [("Hello.", "Hi.")]
    assert session.settled


@pytest.mark.row("E10")
def test_it_is_spoken_once_when_it_is_complete(speaker: Session) -> None:
    effects = feed(speaker, *said("u1", "Hello."), *wrote("r1", "Good day."), done("r1"))
    assert of(SpeakText, effects) == [SpeakText("r1", "Good day.")]


@pytest.mark.row("E10")
def test_the_turn_closes_when_our_voice_has_been_heard_out(speaker: Session) -> None:
    feed(speaker, *said("u1", "Hello."), *wrote("r1", "Good day."))
    assert not turns(wait(speaker, START + BUFFER_EVENT_TIMEOUT + 1))
    assert states(feed(speaker, buffer_started("r1"), at=START + 2)) == [SessionState.ASSISTANT_SPEAKING]
    effects = feed(speaker, buffer_stopped("r1"), at=START + 4)
    assert texts(effects) == [("Hello.", "Good day.")]
    assert states(effects) == [SessionState.LISTENING]


@pytest.mark.row("E10")
def test_a_voice_that_never_begins_holds_no_turn_for_ever(speaker: Session) -> None:
    feed(speaker, *said("u1", "Hello."), *wrote("r1", "Good day."))
    assert not turns(wait(speaker, START + SYNTHESIS_TIMEOUT - 0.01))
    assert texts(wait(speaker, START + SYNTHESIS_TIMEOUT)) == [("Hello.", "Good day.")]
    assert speaker.settled


def cut(session: Session, how: str) -> list[Effect]:
    if how == "speech":
        return feed(session, server.SpeechStarted(item_id="u2"), at=START + 1)
    return session.interrupt(START + 1)


@pytest.mark.row("E5", "E10")
@pytest.mark.parametrize("how", ["speech", "interrupt"])
@pytest.mark.parametrize("begun", [True, False], ids=["while it sounds", "before it sounds"])
def test_it_can_be_spoken_over_like_any_other(speaker: Session, how: str, *, begun: bool) -> None:
    feed(speaker, *said("u1", "Hello."), *wrote("r1", "Good day."), *[buffer_started("r1")][: int(begun)])
    effects = cut(speaker, how)
    assert of(FlushPlayback, effects)
    assert of(Interrupted, effects) == [Interrupted(response_id="r1")]
    (turn,) = turns(effects)
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("E10")
def test_what_the_provider_speaks_is_not_spoken_twice(speaker: Session) -> None:
    events = [*speaking("r1", "Hi"), server.TextDone(response_id="r1", text="Hi", output_index=1), done("r1")]
    assert not of(SpeakText, feed(speaker, *said("u1", "Hello."), *events))


@pytest.mark.row("E10")
def test_what_was_cancelled_or_says_nothing_is_not_spoken(speaker: Session) -> None:
    effects = feed(speaker, *said("u1", "Hello."), *wrote("r1", "Good day.")[:-1], done("r1", "cancelled"))
    effects += feed(speaker, *said("u2", "Hello?"), *wrote("r2", ""))
    assert not of(SpeakText, effects)
