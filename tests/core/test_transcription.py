"""A session that tells no words makes no turn wait for them."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.session import Session
from couchvoice.core.transcription import tells_words
from couchvoice.core.turn import Outcome
from tests.core.talk import START, answered, feed, said, transcript, turns


@pytest.fixture
def session() -> Session:
    session = Session("s")
    session.start()
    session.opened(START)
    return session


@pytest.mark.row("D4")
@pytest.mark.parametrize(
    ("session", "told"),
    [
        ({"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}}, True),
        ({"audio": {"input": {"transcription": None}}}, False),
        ({"input_audio_transcription": None}, False),
        ({"input_audio_transcription": {"model": "whisper-1"}}, True),
        ({"audio": {"input": {}}}, None),
        ({"audio": {"input": 5}}, None),
        ({"audio": None}, None),
        ({}, None),
    ],
)
def test_the_config_says_whether_words_will_be_told(session: dict[str, Any], told: bool | None) -> None:
    assert tells_words(session) is told


def test_where_no_words_are_told_a_turn_is_over_with_its_answer(session: Session) -> None:
    config = {"audio": {"input": {"transcription": None}}}
    feed(session, server.SessionUpdated(session=config), *said("u1"))
    effects = feed(session, *answered("r1", "Yes."), at=START + 5)
    (turn,) = turns(effects)
    assert (turn.user_text, turn.assistant_text, turn.outcome) == ("", "Yes.", Outcome.COMPLETED)


def test_words_are_waited_for_again_when_they_are_told_again(session: Session) -> None:
    for transcription in (None, {"model": "gpt-transcribe"}):
        feed(session, server.SessionUpdated(session={"audio": {"input": {"transcription": transcription}}}))
    effects = feed(session, *said("u1"), *answered("r1", "Yes."))
    assert turns(effects) == []
    (turn,) = turns(feed(session, transcript("u1", "Can you?")))
    assert turn.user_text == "Can you?"
