"""What the tests of memory keep: facts, rules, and sessions that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from couchvoice.backend import SqlStore
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.memory.digest import Digest
from couchvoice.backend.memory.records import Kind, Record, Statement
from couchvoice.backend.store import Arc, Turn
from tests.backend.ends import any_turn

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


async def keep(store: SqlStore, owner: str, *texts: str, kind: Kind = Kind.FACT, thread_id: str = "t") -> list[Record]:
    return [
        await store.memory.records.keep(
            owner, Statement(kind=kind, text=text, evidence=text), thread_id=thread_id, now=NOW
        )
        for text in texts
    ]


class Said:
    """Implements Summarizer: this summary, and nothing is learnt."""

    def __init__(self, summary: str) -> None:
        self._summary = summary

    async def digest(self, turns: Sequence[Turn]) -> Digest:
        return Digest(
            Arc(
                summary=self._summary,
                primary_themes=[],
                mood_opened="neutral",
                mood_closed="neutral",
                turn_count=len(turns),
                open_loops=[],
                resolved_threads=[],
            )
        )

    async def close(self) -> None:
        pass


async def end_session(store: SqlStore, owner: str, summary: str, *, thread_id: str = "t") -> None:
    """A session of one turn."""
    await store.turns.record(any_turn("hm", thread_id=thread_id, owner=owner))
    finalizer = Finalizer(store, summarizer=Said(summary))
    assert await finalizer.finalize(thread_id, owner=owner, session_id=None)


async def texts(store: SqlStore, owner: str, kind: Kind = Kind.FACT) -> list[str]:
    return [record.text for record in await store.memory.records.listed(owner, kind, after=0, limit=1000)]
