"""What a session's instructions know of before: what is kept of the person, and the last turns of its thread.

Law: an incognito session has none; it is read when it is told, so that what was deleted is told to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.history import MAX_TURNS
from couchvoice.backend.memory_context import Memory, MemorySource
from couchvoice.backend.store import Store, Turn


@dataclass(frozen=True, slots=True, repr=False)
class Recollection:
    """``history``: the oldest first."""

    memory: Memory
    history: Sequence[Turn] = ()


class Recollections:
    def __init__(self, store: Store, memory: MemorySource) -> None:
        self._store = store
        self._memory = memory

    async def of(self, briefing: Briefing) -> Recollection | None:
        if briefing.memory_mode == "incognito":
            return None
        kept = await self._store.turns.recent(briefing.thread_id, owner=briefing.owner, limit=MAX_TURNS)
        return Recollection(await self._memory.memory(briefing.owner), [recent.turn for recent in kept])
