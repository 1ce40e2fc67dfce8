"""Which session a request belongs to, and whether that is the caller's.

    with authentication      another's thread, or none   404: who may not see it learns nothing of it
                             one's own, without the token of a session of it   403
    without authentication   a token that is sent must be one of the thread's (403); none need be

Law: a token opens the session that it was given for, to the user that it was given to; an incognito request never
reaches the store.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import Header

from couchvoice.backend.activity import LiveState
from couchvoice.backend.guard import Caller
from couchvoice.backend.refusals import Refused
from couchvoice.backend.sessions import LiveSession, LiveSessions
from couchvoice.backend.store import Store
from couchvoice.contract import (
    SESSION_TOKEN_HEADER,
    ConfigRequest,
    EndRequest,
    MemoryMode,
    ResultRequest,
    ToolRequest,
    TurnRequest,
)
from couchvoice.private import Private

SessionToken = Annotated[str | None, Header(alias=SESSION_TOKEN_HEADER)]

OfSession = ToolRequest | ResultRequest | TurnRequest | EndRequest | ConfigRequest


class SessionScope:
    def __init__(self, sessions: LiveSessions, store: Store) -> None:
        self._sessions = sessions
        self._store = store

    async def require_free(self, thread_id: str, *, caller: Caller, mode: MemoryMode) -> None:
        """A session may be opened on this thread. Raises Refused (404) when it is another user's."""
        if caller.subject is not None:
            owner = await self._owner(thread_id, mode)
            if owner not in (None, caller.subject):
                raise _no_thread()

    async def of(self, request: OfSession, *, caller: Caller, token: str | None) -> LiveSession | None:
        """None: authentication is off, and no token was sent. Raises Refused (403, 404)."""
        mode = "persistent" if isinstance(request, ConfigRequest | ResultRequest) else request.memory_mode
        session = await self._session(token, mode) if token is not None else None
        if session is not None and session.briefing.thread_id == request.thread_id and _is_of(session, caller):
            caller.user(request.user_id)
            caller.traffic.of = session.activity
            if session.activity.state is LiveState.DISCONNECTED:
                raise Refused(HTTPStatus.FORBIDDEN, "session_disconnected", "an operator has ended this session")
            session.activity.seen_at = time.monotonic()
            return session
        if caller.subject is not None and caller.user(request.user_id) != await self._owner(request.thread_id, mode):
            raise _no_thread()
        if token is not None:
            raise Refused(HTTPStatus.FORBIDDEN, "wrong_session_token", "the session token is not one of this thread's")
        if caller.subject is not None:
            raise Refused(
                HTTPStatus.FORBIDDEN, "session_token_missing", f"send the session's token as {SESSION_TOKEN_HEADER}"
            )
        return None

    def floor(self, request: ToolRequest | TurnRequest | EndRequest, session: LiveSession | None) -> MemoryMode:
        """Without its token a session still binds what comes for its thread: a foreign client sends none."""
        opened = session.briefing.memory_mode if session is not None else self._sessions.mode_of(request.thread_id)
        return "incognito" if opened == "incognito" else request.memory_mode

    async def _session(self, token: str, mode: MemoryMode) -> LiveSession | None:
        """Also one that another process opened, or this one before it was started again."""
        if mode == "persistent" and not self._sessions.knows(token):
            kept = await self._store.sessions.find(Private(token))
            if kept is not None:
                self._sessions.adopt(LiveSession(session_id=kept[0], token=Private(token), briefing=kept[1]))
        return self._sessions.find(token)

    async def _owner(self, thread_id: str, mode: MemoryMode) -> str | None:
        """None: nobody's yet. What is kept goes before what is only being said."""
        kept = await self._store.threads.owner(thread_id) if mode == "persistent" else None
        return kept or self._sessions.owner(thread_id)


def _is_of(session: LiveSession, caller: Caller) -> bool:
    return caller.subject in (None, session.briefing.user_id)


def _no_thread() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "thread_not_found", "there is no such thread")
