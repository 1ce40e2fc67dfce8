"""The watch over crises: the desk that lines come from, the auditor, and the log of talks that are not kept.

Law: it is told of every turn once it is recorded, and nobody waits for what it finds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from couchvoice.backend.crisis.audit import Heard
from couchvoice.backend.crisis.auditor import Audited, Auditor
from couchvoice.backend.crisis.classifier import Classifier
from couchvoice.backend.crisis.desk import CrisisDesk
from couchvoice.backend.crisis.log import CrisisLog, MemoryCrisisLog, crisis_of
from couchvoice.contract import TurnRequest


class CrisisWatch:
    def __init__(self, desk: CrisisDesk | None = None, *, classifier: Classifier | None = None) -> None:
        self.desk = desk or CrisisDesk()
        self.auditor = Auditor(self.desk, classifier=classifier)
        self.incognito: CrisisLog = MemoryCrisisLog()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self.auditor.running():
                yield
        finally:
            await self.desk.close()

    async def turn_over(
        self, turn: TurnRequest, *, owner: str, session_id: str | None, kept: CrisisLog | None, message_count: int
    ) -> None:
        """``kept``: the log that the recorded turn has its entry in; None: the talk is incognito."""
        self.desk.turn_over(turn.thread_id, owner=owner, user_text=turn.user_text)
        calls = [call.model_dump() for call in turn.tool_calls]
        if kept is None:
            entry = crisis_of(calls, thread_id=turn.thread_id, session_id=session_id, now=datetime.now(UTC))
            if entry is not None:
                await self.incognito.add(entry, message_count=message_count)
        self.auditor.submit(
            Audited(
                heard=Heard(turn.user_text, turn.assistant_text, calls),
                thread_id=turn.thread_id,
                session_id=session_id,
                message_count=message_count,
                log=kept or self.incognito,
            )
        )
