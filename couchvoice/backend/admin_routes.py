"""For operators: the figures, the sessions that are alive, and how to end one.

Law: an operator sees how much and how long, never what was said, by whom or on which thread; and shows a credential of
their own, which is no user's.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from couchvoice.backend.crisis.log import CrisisEntry
from couchvoice.backend.crisis.watch import CrisisWatch
from couchvoice.backend.figures import CONTENT_TYPE, Figures, tell
from couchvoice.backend.guard import ADMIN_PREFIX, METRICS_PATH
from couchvoice.backend.refusals import Refused, failing_as
from couchvoice.backend.sessions import LiveSession, LiveSessions
from couchvoice.backend.store import Store
from couchvoice.contract import CrisisEntryReply, CrisisLogReply, LiveSessionReply, LiveSessionsReply

SESSIONS_PATH = f"{ADMIN_PREFIX}/sessions"
CRISIS_PATH = f"{ADMIN_PREFIX}/crisis"
MAX_ENTRIES = 100


class AdminEndpoints:
    def __init__(
        self, *, sessions: LiveSessions, figures: Figures, store: Store, crisis: CrisisWatch, is_open: bool
    ) -> None:
        """``is_open``: there is a credential for operators; else there are the figures alone."""
        self._sessions = sessions
        self._figures = figures
        self._store = store
        self._crisis = crisis
        self.router = APIRouter()
        self.router.add_api_route(
            METRICS_PATH, self.metrics, methods=["GET"], response_class=Response, responses={200: {"content": _TEXT}}
        )
        if is_open:
            self.router.add_api_route(SESSIONS_PATH, self.listed, methods=["GET"])
            self.router.add_api_route(CRISIS_PATH, self.crises, methods=["GET"])
            self.router.add_api_route(f"{SESSIONS_PATH}/{{session_id}}", self.disconnect, methods=["DELETE"])

    async def metrics(self) -> Response:
        return Response(self._figures.exposition(), media_type=CONTENT_TYPE)

    async def listed(self) -> LiveSessionsReply:
        """Those of this process that are alive, the oldest first."""
        now = time.monotonic()
        return LiveSessionsReply(sessions=[_reply(session, now) for session in self._sessions.active()])

    async def disconnect(self, session_id: Annotated[str, Path(max_length=200)]) -> LiveSessionReply:
        """From now on nothing of it is served; the talk itself stands between the client and its provider."""
        with failing_as("disconnect_failed", "the session could not be disconnected"):
            session = self._sessions.disconnect(session_id)
            if session is None:
                raise Refused(HTTPStatus.NOT_FOUND, "session_not_found", "there is no such live session")
            if session.briefing.memory_mode == "persistent":
                await self._store.sessions.forget(session_id)
            tell("disconnect", session_id=session_id)
            return _reply(session, time.monotonic())

    async def crises(self) -> CrisisLogReply:
        """The newest entries of the crisis log, those of this process's incognito talks among them."""
        with failing_as("crisis_log_failed", "the crisis log could not be read"):
            kept = await self._store.crisis.entries(limit=MAX_ENTRIES)
            passing = await self._crisis.incognito.entries(limit=MAX_ENTRIES)
            entries = [(entry, "persistent") for entry in kept] + [(entry, "incognito") for entry in passing]
            entries.sort(key=lambda pair: pair[0].created_at, reverse=True)
            return CrisisLogReply(entries=[_entry_reply(entry, mode) for entry, mode in entries[:MAX_ENTRIES]])


_TEXT = {"text/plain": {"schema": {"type": "string"}}}


def _reply(session: LiveSession, now: float) -> LiveSessionReply:
    activity = session.activity
    return LiveSessionReply(
        session_id=session.session_id,
        memory_mode=session.briefing.memory_mode,
        state=activity.state.value,
        age_s=round(now - activity.opened_at, 1),
        idle_s=round(now - activity.seen_at, 1),
        bytes_in=activity.bytes_in,
        bytes_out=activity.bytes_out,
        turns=activity.turns,
        tool_calls=activity.tool_calls,
    )


def _entry_reply(entry: CrisisEntry, mode: str) -> CrisisEntryReply:
    return CrisisEntryReply(
        created_at=entry.created_at,
        kind=entry.kind.value,
        memory_mode=mode,
        session_id=entry.session_id,
        tools=list(entry.tools),
        lookup_status=entry.lookup_status,
        risk_level=entry.risk_level,
        numbers=entry.numbers,
        judged_by=entry.judged_by,
    )
