"""session.update: what may be asked for, and that each one is answered once."""

from __future__ import annotations

import math
from typing import Any

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.client_events import SessionUpdate
from couchvoice.core.effects import Effect, EndSession, SendEvent, UpdateAnswered
from couchvoice.core.notices import Problem
from couchvoice.core.session import Session
from couchvoice.core.session_update import (
    UPDATE_TIMEOUT,
    Changes,
    modality_of,
    speed_of,
    turn_detection_of,
    without_voice,
)
from couchvoice.errors import ConfigError, InvalidState, NotConnected
from tests.core.talk import START, error, feed, of, said, wait

UPDATED = server.SessionUpdated(session={"type": "realtime"})
SLOW = speed_of(0.5)


def sent_update(effects: list[Effect]) -> SessionUpdate:
    (event,) = [effect.event for effect in of(SendEvent, effects) if isinstance(effect.event, SessionUpdate)]
    return event


@pytest.mark.row("D9", "D10", "D11", "E8")
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (SLOW, {"audio": {"output": {"speed": 0.5}}}),
        (modality_of("text"), {"output_modalities": ["text"]}),
        (turn_detection_of(None), {"audio": {"input": {"turn_detection": None}}}),
        (
            turn_detection_of({"type": "semantic_vad", "eagerness": "low"}),
            {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}},
        ),
    ],
)
def test_an_update_names_the_change_and_nothing_else(
    session: Session, changes: dict[str, Any], named: dict[str, Any]
) -> None:
    assert sent_update(session.update(changes, START)).session == {"type": "realtime", **named}


@pytest.mark.row("D10")
@pytest.mark.parametrize("speed", [0.0, 0.24, 1.51, -1.0, math.nan, math.inf])
def test_a_speed_that_no_provider_takes_is_refused_here(speed: float) -> None:
    with pytest.raises(ConfigError, match=r"choose one from 0\.25 to 1\.5"):
        speed_of(speed)


@pytest.mark.row("D9")
def test_the_answer_to_an_update_is_told_once(session: Session) -> None:
    session.update(SLOW, START)
    assert feed(session, UPDATED) == [UpdateAnswered()]
    assert feed(session, UPDATED) == []
    assert session.next_timeout() is None


@pytest.mark.row("D9")
def test_an_error_that_names_the_update_answers_it_and_is_nobody_elses(session: Session) -> None:
    event = sent_update(session.update({"audio": {"output": {"voice": "sage"}}}, START))
    refused = feed(session, error("cannot_update_voice", event.event_id, "the voice is locked"))
    assert refused == [UpdateAnswered(Problem("cannot_update_voice", "the voice is locked"))]
    assert feed(session, UPDATED) == []


@pytest.mark.row("D9")
def test_an_error_about_something_else_leaves_the_update_waiting(session: Session) -> None:
    session.update(SLOW, START)
    assert feed(session, error("invalid_value", "event_of_another")) == [Problem("invalid_value", "no")]
    assert feed(session, UPDATED) == [UpdateAnswered()]


@pytest.mark.row("D9")
def test_an_error_without_a_code_is_told_by_its_type(session: Session) -> None:
    event = sent_update(session.update(SLOW, START))
    detail = server.ErrorDetail(type="server_error", event_id=event.event_id, message="no")
    assert feed(session, server.ErrorReported(error=detail)) == [UpdateAnswered(Problem("server_error", "no"))]


def test_an_error_that_ends_the_session_ends_it_though_it_names_an_update(session: Session) -> None:
    event = sent_update(session.update(SLOW, START))
    assert of(EndSession, feed(session, error("session_expired", event.event_id)))


@pytest.mark.row("D9")
def test_an_update_that_nobody_answers_is_given_up(session: Session) -> None:
    session.update(SLOW, START)
    assert session.handle_timeout(START + UPDATE_TIMEOUT - 0.01) == []
    (answer,) = of(UpdateAnswered, wait(session, START + UPDATE_TIMEOUT))
    assert answer.problem is not None
    assert answer.problem.code == "update_timeout"
    assert sent_update(session.update(SLOW, START + UPDATE_TIMEOUT))


@pytest.mark.row("D9")
def test_one_update_waits_at_a_time(session: Session) -> None:
    session.update(SLOW, START)
    with pytest.raises(InvalidState, match="under way"):
        session.update(SLOW, START)


@pytest.mark.row("D9")
@pytest.mark.parametrize("way", ["close", "lost", "ended"])
def test_the_end_of_the_talk_answers_the_update_that_waits(session: Session, way: str) -> None:
    session.update(SLOW, START)
    effects = session.ended() if way == "ended" else getattr(session, way)(START)
    (answer,) = of(UpdateAnswered, effects)
    assert answer.problem is not None
    assert answer.problem.code == "not_connected"
    assert not of(UpdateAnswered, session.close(START) + session.ended())


def test_outside_a_talk_nothing_can_be_changed() -> None:
    with pytest.raises(NotConnected):
        Session("s").update(SLOW, START)


@pytest.mark.row("D11")
def test_what_was_asked_for_holds_though_the_server_does_not_repeat_it(session: Session) -> None:
    session.update(turn_detection_of(None), START)
    assert session.hears_user
    feed(session, UPDATED)
    assert not session.hears_user


@pytest.mark.row("D11")
def test_what_the_server_says_goes_before_what_was_asked_for(session: Session) -> None:
    session.update(turn_detection_of(None), START)
    feed(session, server.SessionUpdated(session={"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}))
    assert session.hears_user


def test_an_update_is_no_part_of_what_is_owed_to_the_talk(session: Session) -> None:
    session.update(SLOW, START)
    assert session.settled
    assert not of(UpdateAnswered, feed(session, *said("u1", "Hello")))


# Answers that come late


def full(speed: float, detection: object) -> server.SessionUpdated:
    return server.SessionUpdated(
        session={"audio": {"input": {"turn_detection": detection}, "output": {"speed": speed}}, "model": "m"}
    )


@pytest.mark.row("D9")
@pytest.mark.parametrize("late", [UPDATED, full(0.5, {"type": "server_vad"})])
def test_the_late_answer_to_an_update_is_not_taken_for_that_to_the_next(
    session: Session, late: server.SessionUpdated
) -> None:
    session.update(SLOW, START)
    wait(session, START + UPDATE_TIMEOUT)
    event = sent_update(session.update(turn_detection_of(None), START + 7))
    assert not of(UpdateAnswered, feed(session, late, at=START + 7))
    assert session.hears_user
    assert feed(session, error("invalid_value", event.event_id)) == [UpdateAnswered(Problem("invalid_value", "no"))]


@pytest.mark.row("D9")
def test_what_was_asked_for_holds_when_its_answer_comes_late(session: Session) -> None:
    session.update(turn_detection_of(None), START)
    wait(session, START + UPDATE_TIMEOUT)
    feed(session, UPDATED, at=START + 7)
    assert not session.hears_user


@pytest.mark.row("D9")
@pytest.mark.parametrize(("told", "answered"), [(1.2, False), (0.5, True), (0.5001, True)])
def test_a_session_that_contradicts_the_change_is_not_its_answer(
    session: Session, told: float, *, answered: bool
) -> None:
    session.update(SLOW, START)
    assert bool(of(UpdateAnswered, feed(session, full(told, None)))) is answered


@pytest.mark.row("D9")
def test_a_server_with_words_of_its_own_answers_all_the_same(session: Session) -> None:
    session.update({"model": "m-latest", **turn_detection_of({"type": "server_vad", "threshold": 0.3})}, START)
    assert feed(session, full(1.0, {"type": "server_vad", "threshold": 0.5})) == [UpdateAnswered()]


@pytest.mark.row("D9")
def test_an_update_that_was_lost_does_not_cost_those_after_it_their_answers(session: Session) -> None:
    session.update(SLOW, START)
    wait(session, START + 5)
    session.update(modality_of("text"), START + 5)
    assert not of(UpdateAnswered, feed(session, UPDATED))  # taken for a late word about the first
    wait(session, START + 10)
    session.update(SLOW, START + 10)
    assert feed(session, UPDATED) == [UpdateAnswered()]


@pytest.mark.row("D9")
def test_an_answer_that_says_what_was_asked_for_is_the_answer_whatever_is_late(session: Session) -> None:
    session.update(modality_of("text"), START)
    wait(session, START + 5)
    session.update(SLOW, START + 5)
    assert of(UpdateAnswered, feed(session, full(0.5, None)))


@pytest.mark.row("D9")
def test_the_late_refusal_of_an_update_is_nobody_elses(session: Session) -> None:
    event = sent_update(session.update(SLOW, START))
    wait(session, START + 5)
    session.update(modality_of("text"), START + 5)
    assert feed(session, error("invalid_value", event.event_id)) == []
    assert feed(session, UPDATED) == [UpdateAnswered()]


@pytest.mark.row("L10")
@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"instructions": "A."}, {"instructions": "A."}),
        ({"instructions": "A.", "audio": {"output": {"voice": "ash"}}}, {"instructions": "A."}),
        ({"audio": {"output": {"voice": "ash", "speed": 1.1}}}, {"audio": {"output": {"speed": 1.1}}}),
        ({"audio": {"input": {}, "output": {"voice": "ash"}}}, {"audio": {"input": {}}}),
        ({}, {}),
    ],
)
def test_a_change_without_its_voice_is_everything_else(changes: Changes, left: Changes) -> None:
    assert without_voice(changes) == left
