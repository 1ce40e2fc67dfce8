"""The sessions that are open, on either transport: their places, their tasks, and their end.

Law: never more than ``limit`` at once; whoever has a place gives it back; at the end all are hung up and awaited,
within a bound, and nobody comes in any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from couchvoice.local.http.counts import Counts
from couchvoice.local.http.ending import RETRY_AFTER, Ending
from couchvoice.local.http.refusals import Refused
from couchvoice.local.peer import Call
from couchvoice.local.replay.call import ReplayCall

log = logging.getLogger("couchvoice.local.http.app")

END_TIMEOUT = 3.0  # seconds for all sessions to close, together; then again for those that are cut off

WEBRTC, WEBSOCKET, SIDEBAND = "webrtc", "websocket", "sideband"


class Session(Protocol):
    """What has a place, once it runs."""

    def hang_up(self) -> None:
        """May be called at any time."""


@dataclass(slots=True)
class _Place:
    transport: str
    session: Session | None = None  # None: it is still being set up


class LiveSessions:
    """``take`` a place, ``begin`` when the session is there, ``leave`` whatever happens."""

    def __init__(self, limit: int, counts: Counts, ending: Ending) -> None:
        self._limit = limit
        self._counts = counts
        self._ending = ending
        self._places: dict[str, _Place] = {}
        # Not a task group: that would wrap whatever fails in the body of the lifespan.
        self._serving: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many count: a sideband belongs to its call."""
        return sum(place.transport != SIDEBAND for place in self._places.values())

    @property
    def by_transport(self) -> Mapping[str, int]:
        transports = [place.transport for place in self._places.values()]
        return {transport: transports.count(transport) for transport in (WEBRTC, WEBSOCKET, SIDEBAND)}

    def take(self, name: str, transport: str) -> None:
        """Raises Refused."""
        self._ending.check()
        if transport != SIDEBAND and len(self) >= self._limit:
            message = f"This server holds {self._limit} sessions at once, and has them."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "session_limit_reached", message, retry_after=RETRY_AFTER)
        self._places[name] = _Place(transport)

    def await_at_end(self, serving: asyncio.Task[None]) -> None:
        """The end waits for it, within its bound."""
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    def begin(self, name: str, session: Session) -> None:
        place = self._places[name]
        place.session = session
        self._counts.opened[place.transport] += 1
        if self._ending.has_begun:
            session.hang_up()

    def leave(self, name: str) -> None:
        del self._places[name]

    def call(self, call_id: str) -> Call | ReplayCall:
        """Raises Refused."""
        place = self._places.get(call_id)
        if place is None or not isinstance(place.session, Call | ReplayCall):
            raise Refused(HTTPStatus.NOT_FOUND, "call_not_found", "There is no such call.", "call_id")
        return place.session

    async def end(self) -> None:
        """Hang up all and wait for them. May be called twice."""
        self._ending.begin()
        for place in self._places.values():
            if place.session is not None:
                place.session.hang_up()
        if not self._serving:
            return
        _, late = await asyncio.wait(self._serving, timeout=END_TIMEOUT)
        for serving in late:
            log.warning("x %s does not end, it is cut off", serving.get_name())
            serving.cancel()
        if late:
            await asyncio.wait(late, timeout=END_TIMEOUT)
