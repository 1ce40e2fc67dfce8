"""What a session is told of a person before it begins: MemorySource, from what is kept.

Law: facts and sessions are not even read while their owner has not allowed to bring them up.
"""

from __future__ import annotations

from couchvoice.backend.memory.records import MAX_RULES, Kind, Record
from couchvoice.backend.memory_context import MAX_FACTS, Memory
from couchvoice.backend.store import Store

_LOOKED_AT = 50  # of the newest facts, for those that were mentioned most


class RememberedMemory:
    """Implements MemorySource."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def memory(self, owner: str) -> Memory:
        records = self._store.memory.records
        rules = _texts(_newest_first(await records.newest(owner, Kind.RULE, limit=MAX_RULES)))
        if not await self._store.memory.recall.is_on(owner):
            return Memory(rules=rules)
        facts = _newest_first(await records.newest(owner, Kind.FACT, limit=_LOOKED_AT))
        facts.sort(key=lambda fact: -fact.mentions)
        last = await records.newest(owner, Kind.SESSION, limit=1)
        return Memory(
            rules=rules,
            recall=True,
            facts=_texts(facts[:MAX_FACTS]),
            last_session=last[0].text if last else None,
        )


def _newest_first(records: list[Record]) -> list[Record]:
    return records[::-1]


def _texts(records: list[Record]) -> list[str]:
    return [record.text for record in records]
