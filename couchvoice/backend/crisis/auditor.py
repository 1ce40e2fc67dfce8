"""The auditor: looks at turns after they are over, beside whatever the backend does.

Law: ``submit`` waits for nothing and never fails; what it cannot take is counted, and what breaks while a turn is
looked at breaks that turn's audit alone. What was said is forgotten when the turn has been looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from couchvoice.backend.crisis.audit import Heard, audit
from couchvoice.backend.crisis.classifier import NAME, Classifier
from couchvoice.backend.crisis.desk import CrisisDesk
from couchvoice.backend.crisis.log import CRISIS_TOOLS, CrisisEntry, CrisisKind, CrisisLog
from couchvoice.backend.figures import tell
from couchvoice.backend.lookup.source import LookupFailed

MAX_WAITING = 256  # turns; then the newest is not looked at
WORKERS = 4  # so that a slow classifier holds up others only a little
CLASSIFIER_TIMEOUT = 6.0  # seconds
DRAIN_TIMEOUT = 1.0  # seconds at the end for what waits: whoever leaves a talk is not held up

RULES = "rules"

_log = logging.getLogger("couchvoice.backend.crisis")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Audited:
    """A turn to look at, and the log that is told; ``message_count`` tells the turn."""

    heard: Heard
    thread_id: str
    session_id: str | None
    message_count: int
    log: CrisisLog


class Auditor:
    def __init__(
        self,
        desk: CrisisDesk,
        *,
        classifier: Classifier | None = None,
        limit: int = MAX_WAITING,
        classifier_timeout: float = CLASSIFIER_TIMEOUT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._desk = desk
        self._classifier = classifier
        self._classifier_timeout = classifier_timeout
        self._now = now
        self._waiting: asyncio.Queue[Audited] = asyncio.Queue(limit)
        self.counts: Counter[str] = Counter()  # of what it found, of what it skipped, and of what failed

    def submit(self, turn: Audited) -> None:
        try:
            self._waiting.put_nowait(turn)
        except asyncio.QueueFull:
            self.counts["skipped"] += 1
            _log.warning("x too many turns wait for the audit: one is not looked at")

    async def idle(self) -> None:
        """Returns when nothing waits."""
        await self._waiting.join()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        workers = [asyncio.create_task(self._work(), name=f"auditor-{number}") for number in range(WORKERS)]
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(DRAIN_TIMEOUT):
                    await self.idle()
            except TimeoutError:
                self.counts["skipped"] += self._waiting.qsize()
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
            if self._classifier is not None:
                await self._classifier.close()

    async def _work(self) -> None:
        while True:
            turn = await self._waiting.get()
            try:
                await self._look_at(turn)
                self.counts["audited"] += 1
            except Exception as exc:  # one turn of many: the others are to be looked at, too
                self.counts["failed"] += 1
                _log.error("x the audit of a turn failed: %s", type(exc).__name__)
            finally:
                self._waiting.task_done()

    async def _look_at(self, turn: Audited) -> None:
        # In a thread: a long turn would hold up a media loop in the same process.
        verdict = await asyncio.to_thread(audit, turn.heard, has_given=self._desk.has_given)
        if verdict.missed:
            await self._tell(turn, CrisisKind.MISSED, judged_by=RULES)
        if verdict.numbers:
            await self._tell(turn, CrisisKind.INVENTED, judged_by=RULES, numbers=verdict.numbers)
        # Last: it may take long, and what the rules have found is not to wait for it.
        if not verdict.missed and await self._classified_as_missed(turn.heard):
            await self._tell(turn, CrisisKind.MISSED, judged_by=NAME)

    async def _classified_as_missed(self, heard: Heard) -> bool:
        called = any(call["tool_name"] in CRISIS_TOOLS for call in heard.tool_calls)
        if self._classifier is None or called or not heard.user_text.strip():
            return False
        try:
            async with asyncio.timeout(self._classifier_timeout):
                return await self._classifier.says_crisis(heard.user_text)
        except (LookupFailed, TimeoutError):
            self.counts["unclassified"] += 1
            return False

    async def _tell(self, turn: Audited, kind: CrisisKind, *, judged_by: str, numbers: int = 0) -> None:
        self.counts[kind] += 1
        tell("audit", found=kind, judged_by=judged_by, numbers=numbers)
        entry = CrisisEntry(
            kind=kind,
            thread_id=turn.thread_id,
            session_id=turn.session_id,
            created_at=self._now(),
            tools=sorted({str(call["tool_name"]) for call in turn.heard.tool_calls} & set(CRISIS_TOOLS)),
            numbers=numbers,
            judged_by=judged_by,
        )
        await turn.log.add(entry, message_count=turn.message_count)
