"""What a session's instructions know of before: what is kept of the person, the last turns of its thread,
and the exercise that it is in the middle of.

Law: an incognito session has none; it is read when it is told, so that what was deleted is told to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.exercises import Place, Run
from couchvoice.backend.history import MAX_TURNS
from couchvoice.backend.memory_context import Memory, MemorySource
from couchvoice.backend.store import Store, Turn


@dataclass(frozen=True, slots=True, repr=False)
class Recollection:
    """``history``: the oldest first."""

    memory: Memory
    history: Sequence[Turn] = ()
    exercise: Run | None = None


class Recollections:
    def __init__(self, store: Store, memory: MemorySource) -> None:
        self._store = store
        self._memory = memory

    async def of(self, briefing: Briefing) -> Recollection | None:
        if briefing.memory_mode == "incognito":
            return None
        kept = await self._store.turns.recent(briefing.thread_id, owner=briefing.owner, limit=MAX_TURNS)
        run = await self._store.exercises.current(Place(briefing.owner, briefing.thread_id))
        memory = await self._memory.memory(briefing.owner)
        return Recollection(memory, [recent.turn for recent in kept], run)
