"""Live sessions: who opened which talk, and in which memory mode.

Kept in memory only and bounded: the oldest is forgotten first. Law: a token opens its own session and no other,
and the mode in which a session was opened is the floor for every later request.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from couchvoice.backend.activity import Activity, LiveState
from couchvoice.backend.briefing import Briefing
from couchvoice.backend.pseudonyms import Pseudonyms
from couchvoice.backend.session_id import new_session_id
from couchvoice.contract import MemoryMode
from couchvoice.private import Private

MAX_SESSIONS = 4096

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSession:
    session_id: str
    token: Private
    briefing: Briefing
    activity: Activity = field(default_factory=Activity, compare=False)


class LiveSessions:
    def __init__(self, pseudonyms: Pseudonyms | None = None, *, limit: int = MAX_SESSIONS) -> None:
        self._limit = limit
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._by_token: OrderedDict[Private, LiveSession] = OrderedDict()

    def open(self, briefing: Briefing) -> LiveSession:
        session = LiveSession(
            session_id=new_session_id(self._pseudonyms.of(briefing.owner, briefing.memory_mode)),
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

    def find(self, token: str) -> LiveSession | None:
        return self._by_token.get(Private(token))

    def owner(self, thread_id: str) -> str | None:
        """Who was the first of those that have a session on this thread."""
        of_thread = (s.briefing.owner for s in self._by_token.values() if s.briefing.thread_id == thread_id)
        return next(of_thread, None)

    def mode_of(self, thread_id: str) -> MemoryMode | None:
        """In which mode the thread's newest session was opened. None: no session of it is known."""
        briefings = (session.briefing for session in reversed(self._by_token.values()))
        return next((briefing.memory_mode for briefing in briefings if briefing.thread_id == thread_id), None)

    def active(self) -> list[LiveSession]:
        """The oldest first."""
        now = time.monotonic()
        return [session for session in self._by_token.values() if session.activity.is_active(now)]

    def disconnect(self, session_id: str) -> LiveSession | None:
        """None: there is none with this id that is alive."""
        for session in self.active():
            if session.session_id == session_id:
                session.activity.state = LiveState.DISCONNECTED
                return session
        return None
