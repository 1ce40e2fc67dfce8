"""Sessions for the tests of the core."""

from __future__ import annotations

import pytest

from couchvoice.core.server_events import SessionCreated
from couchvoice.core.session import Session
from tests.core.talk import START, feed


@pytest.fixture
def session() -> Session:
    """Connected, warm, listening; the server detects turns, answers them, and lets itself be interrupted."""
    return listening()


def listening(**turn_detection: bool) -> Session:
    session = Session("s")
    session.start()
    session.configured({"audio": {"input": {"turn_detection": {"type": "server_vad", **turn_detection}}}}, START)
    session.opened(START)
    feed(session, SessionCreated(session={"type": "realtime"}))
    return session
