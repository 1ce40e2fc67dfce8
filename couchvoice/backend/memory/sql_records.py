"""The records in a database: what there is, in the order in which it is shown."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from couchvoice.backend.database import Database
from couchvoice.backend.memory.records import MAX_INDEX, Kind, MemoryCounts, Record, RecordId, Statement, no_such_record
from couchvoice.backend.memory.sql_layers import LAYERS, count, kept, lock_owner, record_of, rows_of
from couchvoice.backend.memory.sql_writing import keep, number_of
from couchvoice.backend.memory.tables import candidates


class SqlRecords:
    """Implements Records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self, owner: str) -> MemoryCounts:
        if not self._database.begun():
            return MemoryCounts()
        async with self._database.begin() as connection:
            facts, sessions, rules = [await count(connection, kind, owner) for kind in Kind]
            held = select(func.count()).select_from(candidates).where(candidates.c.owner == owner)
            return MemoryCounts(facts, sessions, rules, (await connection.execute(held)).scalar_one())

    async def listed(self, owner: str, kind: Kind, *, after: int, limit: int) -> list[Record]:
        if not self._database.begun():
            return []
        page = rows_of(kind).where(kept(kind, owner)).order_by(LAYERS[kind].table.c.id).offset(after).limit(limit)
        async with self._database.begin() as connection:
            rows = (await connection.execute(page)).mappings().all()
        return [record_of(row, kind, index) for index, row in enumerate(rows, after + 1)]

    async def newest(self, owner: str, kind: Kind, *, limit: int) -> list[Record]:
        if not self._database.begun():
            return []
        last = rows_of(kind).where(kept(kind, owner)).order_by(LAYERS[kind].table.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            total = await count(connection, kind, owner)
            rows = (await connection.execute(last)).mappings().all()
        return [record_of(row, kind, total - place) for place, row in enumerate(rows)][::-1]

    async def at(self, owner: str, kind: Kind, index: int) -> Record:
        found = await self.listed(owner, kind, after=index - 1, limit=1) if 0 < index <= MAX_INDEX else []
        if not found:
            raise no_such_record()
        return found[0]

    async def index_of(self, owner: str, record: RecordId) -> int:
        async with self._database.begin() as connection:
            return await number_of(connection, owner, record)

    async def keep(self, owner: str, statement: Statement, *, thread_id: str, now: datetime) -> Record:
        async with self._database.begin() as connection:
            await lock_owner(connection, owner)
            kept_as = await keep(connection, owner, statement, thread_id=thread_id, mentions=1, now=now)
            table = LAYERS[kept_as.kind].table
            row = (await connection.execute(rows_of(kept_as.kind).where(table.c.id == kept_as.number))).mappings().one()
            return record_of(row, kept_as.kind, await number_of(connection, owner, kept_as))
