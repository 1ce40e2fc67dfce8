"""The end of the server, as the requests that wait see it.

Not the end of sessions: that is live_sessions.py. Law: no request waits on when the end has begun; it is refused, so
that the HTTP server need not cut it off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from couchvoice.local.http.refusals import Refused

RETRY_AFTER = 5  # seconds; sessions end when they end


class Ending:
    def __init__(self) -> None:
        self.has_begun = False
        self._waits: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """May be called twice, in the loop of the requests."""
        self.has_begun = True
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            if not wait.expired():
                wait.reschedule(now)

    def check(self) -> None:
        """Raises Refused."""
        if self.has_begun:
            message = "The server is shutting down."
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "shutting_down", message, retry_after=RETRY_AFTER)

    @asynccontextmanager
    async def wait(self, *, within: float | None) -> AsyncIterator[None]:
        """Around a wait of so many seconds at most. Raises TimeoutError, and Refused at the end."""
        self.check()
        try:
            async with asyncio.timeout(within) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            self.check()
            raise
