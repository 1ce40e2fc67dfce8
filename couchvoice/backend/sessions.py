"""Live sessions: who opened which talk, and in which memory mode.

Kept in memory only and bounded: the oldest is forgotten first. Law: a token opens its own session and no other,
and the mode in which a session was opened is the floor for every later request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.refusals import Refused
from couchvoice.private import Private

MAX_SESSIONS = 4096

_ID_BYTES = 16  # 128 random bits
_TOKEN_BYTES = 32
_OWNER_DIGITS = 12  # hex digits of the owner's hash: enough to tell owners apart in a list, not to name them


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    session_id: str
    token: Private
    briefing: Briefing


class LiveSessions:
    def __init__(self, *, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._by_token: OrderedDict[Private, LiveSession] = OrderedDict()

    def open(self, briefing: Briefing) -> LiveSession:
        session = LiveSession(
            session_id=f"rtc_{owner_hash(briefing.owner)[:_OWNER_DIGITS]}_{secrets.token_hex(_ID_BYTES)}",
            token=Private(secrets.token_urlsafe(_TOKEN_BYTES)),
            briefing=briefing,
        )
        self.adopt(session)
        return session

    def adopt(self, session: LiveSession) -> None:
        """Know a session that was opened elsewhere."""
        self._by_token[session.token] = session
        if len(self._by_token) > self._limit:
            self._by_token.popitem(last=False)

    def knows(self, token: str) -> bool:
        return Private(token) in self._by_token

    def find(self, token: str, *, thread_id: str) -> LiveSession:
        """The session of this token. Refused with 403 unless it is one of this thread's."""
        session = self._by_token.get(Private(token))
        if session is None or session.briefing.thread_id != thread_id:
            raise Refused(HTTPStatus.FORBIDDEN, "wrong_session_token", "the session token is not one of this thread's")
        return session


def owner_hash(owner: str) -> str:
    """What stands for an owner outside the backend: SHA-256, hex."""
    return hashlib.sha256(owner.encode()).hexdigest()
