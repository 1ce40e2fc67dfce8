"""Mute: nothing of what the microphone hears is meant for anybody, and nothing else changes."""

from __future__ import annotations

import pytest

from couchvoice.core.notices import MuteChanged
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.errors import InvalidState
from tests.core.talk import START, answered, feed, said, texts

pytestmark = pytest.mark.row("B5")


def test_who_is_muted_is_not_heard_until_he_is_unmuted(session: Session) -> None:
    assert session.mute() == [MuteChanged(True)]
    assert not session.hears_user
    assert session.unmute() == [MuteChanged(False)]
    assert session.hears_user


def test_what_is_so_already_is_not_told_again(session: Session) -> None:
    assert session.unmute() == []
    session.mute()
    assert session.mute() == []


def test_a_session_may_begin_muted() -> None:
    session = Session("s")
    session.mute()
    session.start()
    session.opened(START)
    assert not session.hears_user


def test_the_assistant_answers_what_was_said_before_and_finishes(session: Session) -> None:
    feed(session, *said("u1", "Tea?"))
    session.mute()
    assert texts(feed(session, *answered("r1", "Yes."))) == [("Tea?", "Yes.")]
    assert session.state is SessionState.LISTENING


def test_the_button_of_push_to_talk_does_not_unmute(manual: Session) -> None:
    manual.mute()
    with pytest.raises(InvalidState, match="unmute"):
        manual.begin_speaking(START)
    manual.unmute()
    manual.begin_speaking(START)
    manual.mute()
    assert not manual.hears_user


@pytest.fixture
def manual(session: Session) -> Session:
    session.configured({"audio": {"input": {"turn_detection": None}}}, START)
    return session
