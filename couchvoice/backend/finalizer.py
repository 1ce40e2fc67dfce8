"""The finalizer: one way to end a session, whoever ends it: the client, nobody for a long time, or the shutdown.

Law: of all processes on one database one finalizes (it claims the thread first), what cannot be finalized is marked
``failed`` and left alone until somebody asks again, and no failure of one thread keeps another from its end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from couchvoice.backend.crisis.log import RETENTION
from couchvoice.backend.feedback import FEEDBACK_KEPT
from couchvoice.backend.memory.digest import RulesSummarizer, Summarizer
from couchvoice.backend.memory.promotion import lessons_of
from couchvoice.backend.store import Arc, Claim, FinalizationInProgress, Store
from couchvoice.errors import ConfigError

FINALIZE_AFTER = 20 * 60.0  # seconds without a turn; then the session counts as ended
LONGEST_SILENCE = 366 * 86400.0  # seconds
BUSY_TIMEOUT = 20.0  # seconds to wait for somebody else's claim; the client waits 30
LOOK_AGAIN = 0.05  # seconds; another process has no way to tell that it is ready
LONGEST_PAUSE = 60.0  # seconds between two looks for quiet threads
LOOKS = 4  # in the time after which a thread counts as quiet
BATCH = 100  # threads at a look
SHUTDOWN_TIMEOUT = 10.0  # seconds
MIN_TURNS = 1  # of a session that has an arc
SESSION_KEPT = timedelta(hours=24)  # a talk is renewed every hour or is over

_log = logging.getLogger("couchvoice.backend")


def _now() -> datetime:
    return datetime.now(UTC)


class Finalizer:
    def __init__(
        self,
        store: Store,
        *,
        summarizer: Summarizer | None = None,
        min_turns: int = MIN_TURNS,
        finalize_after: float = FINALIZE_AFTER,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """``summarizer`` None: by rules. A session of fewer than ``min_turns`` has no arc. Raises ConfigError."""
        if min_turns < 1:
            raise ConfigError(f"summary_min_turns is {min_turns}: a session has 1 turn or more")
        if not 0 < finalize_after <= LONGEST_SILENCE:
            raise ConfigError(f"finalize_after is {finalize_after:g}: give seconds, more than 0 and at most a year")
        self._store = store
        self._summarizer = summarizer or RulesSummarizer()
        self._min_turns = min_turns
        self._finalize_after = finalize_after
        self._now = now or _now

    async def finalize(
        self, thread_id: str, *, owner: str | None, session_id: str | None, idle_since: datetime | None = None
    ) -> Arc | None:
        """Close the open turns with an arc, or give again the one that the session got. None: too short, or nothing.

        Raises Refused, and whatever the summary does; then the thread is marked as failed.
        """
        claim = await self._store.endings.claim(
            thread_id, owner=owner, session_id=session_id, now=self._now(), idle_since=idle_since
        )
        if not isinstance(claim, Claim):
            return claim
        try:
            digest = await self._summarizer.digest(claim.turns)
            arc = digest.arc if len(claim.turns) >= self._min_turns else None
            lessons = lessons_of(claim.turns, arc, digest.told)
            await self._store.endings.complete(claim, arc, lessons=lessons, now=self._now())
        except FinalizationInProgress:
            raise
        except Exception as exc:
            # It is raised again: the status must say so, whatever broke.
            await self._store.endings.fail(claim, type(exc).__name__)
            raise
        return arc

    async def finalize_when_free(self, thread_id: str, *, owner: str | None, session_id: str | None) -> Arc | None:
        """As ``finalize``; waits while somebody else does it. Raises FinalizationInProgress when that takes long."""
        deadline = asyncio.get_running_loop().time() + BUSY_TIMEOUT
        while True:
            try:
                return await self.finalize(thread_id, owner=owner, session_id=session_id)
            except FinalizationInProgress:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(LOOK_AGAIN)

    async def sweep(self) -> int:
        """Finalize what has been quiet for long enough. Returns how many threads that were."""
        now = self._now()
        await self._store.sessions.purge(opened_before=now - SESSION_KEPT)
        await self._store.memory.deletions.purge(now=now)
        await self._store.crisis.purge(before=now - RETENTION)
        await self._store.feedback.purge(given_before=now - FEEDBACK_KEPT)
        idle_since = now - timedelta(seconds=self._finalize_after)
        due = await self._store.endings.due(idle_since=idle_since, now=now, limit=BATCH)
        return sum([await self._finalize_quietly(thread_id, idle_since=idle_since) for thread_id in due])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep again and again while the context lasts."""
        stopping = asyncio.Event()
        sweeping = asyncio.create_task(self._run(stopping), name="finalizer")
        try:
            yield
        finally:
            # Not cancelled: a thread that it has claimed would stay so until the lease runs out.
            stopping.set()
            _, late = await asyncio.wait([sweeping], timeout=SHUTDOWN_TIMEOUT)
            if late:
                sweeping.cancel()
                await asyncio.wait([sweeping])

    async def _run(self, stopping: asyncio.Event) -> None:
        pause = min(LONGEST_PAUSE, self._finalize_after / LOOKS)
        while not stopping.is_set():
            try:
                await self.sweep()
            except Exception as exc:  # one look of a serving loop: the database may answer the next
                _log.error("x looking for quiet threads failed: %s", type(exc).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stopping.wait()

    async def shut_down(self) -> None:
        """Finalize what this process served last. What is not done in time, the next process does when it is due."""
        try:
            async with asyncio.timeout(SHUTDOWN_TIMEOUT):
                for thread_id in await self._store.endings.served_here(limit=BATCH):
                    await self._finalize_quietly(thread_id, idle_since=None)
        except Exception as exc:  # whatever the database says, the rest of the shutdown is to follow
            _log.error("x not all threads could be finalized: %s", type(exc).__name__)

    async def close(self) -> None:
        await self._summarizer.close()

    async def _finalize_quietly(self, thread_id: str, *, idle_since: datetime | None) -> bool:
        try:
            arc = await self.finalize(thread_id, owner=None, session_id=None, idle_since=idle_since)
        except FinalizationInProgress:
            return False
        except Exception as exc:  # one of many: the others are to end, too
            _log.error("x a thread could not be finalized: %s", type(exc).__name__)
            return False
        if arc is not None:
            _log.info("- session ended by %s: finalized", "its silence" if idle_since else "the shutdown")
        return arc is not None
