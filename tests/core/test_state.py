"""The table of states."""

from __future__ import annotations

import pytest

from couchvoice.core.state import LEGAL, OVER, TALK, SessionState


@pytest.mark.row("E4")
def test_the_states_have_the_words_of_the_feature_table() -> None:
    assert [state.value for state in SessionState] == [
        "idle",
        "connecting",
        "warming",
        "listening",
        "user_speaking",
        "thinking",
        "assistant_speaking",
        "finalizing",
        "ended",
    ]


def test_every_state_has_its_row_and_nothing_follows_itself() -> None:
    assert LEGAL.keys() == set(SessionState)
    assert all(state not in following for state, following in LEGAL.items())


def test_every_state_but_the_last_can_be_closed() -> None:
    assert all(LEGAL[state] & OVER for state in SessionState if state is not SessionState.ENDED)
    assert not LEGAL[SessionState.ENDED]


def test_nothing_leads_back() -> None:
    for state in TALK:
        assert not LEGAL[state] & {SessionState.IDLE, SessionState.CONNECTING, SessionState.WARMING}
    for state in OVER:
        assert not LEGAL[state] & TALK
