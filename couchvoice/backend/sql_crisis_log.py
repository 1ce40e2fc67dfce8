"""The crisis log in a database. Law: an entry belongs to a turn that is kept, and goes with its thread."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.crisis.log import CrisisEntry, CrisisKind
from couchvoice.backend.database import Database
from couchvoice.backend.sql_rows import lock_thread
from couchvoice.backend.tables import crisis_log, turns


class SqlCrisisLog:
    """Implements CrisisLog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: CrisisEntry, *, message_count: int) -> None:
        if not self._database.begun():
            return
        async with self._database.begin() as connection:
            if await lock_thread(connection, entry.thread_id, owner=None) is None:
                return
            of_turn = select(turns.c.number).where(
                turns.c.thread_id == entry.thread_id, turns.c.message_count == message_count
            )
            numbers = (await connection.execute(of_turn.order_by(turns.c.number))).scalars().all()
            if numbers:
                await add_entry(connection, entry, number=numbers[0])

    async def entries(self, *, limit: int) -> list[CrisisEntry]:
        if not self._database.begun():
            return []
        newest = select(crisis_log).order_by(crisis_log.c.created_at.desc(), crisis_log.c.id.desc()).limit(limit)
        async with self._database.begin() as connection:
            rows = (await connection.execute(newest)).mappings().all()
        return [
            CrisisEntry(
                **{name: row[name] for name in CrisisEntry.__slots__ if name != "kind"}, kind=CrisisKind(row["kind"])
            )
            for row in rows
        ]

    async def purge(self, *, before: datetime) -> None:
        if self._database.begun():
            async with self._database.begin() as connection:
                await connection.execute(delete(crisis_log).where(crisis_log.c.created_at < before))


async def add_entry(connection: AsyncConnection, entry: CrisisEntry, *, number: int) -> None:
    """Of this turn; in a transaction that has locked its thread. What is there already stays as it is."""
    same = select(crisis_log.c.id).where(
        crisis_log.c.thread_id == entry.thread_id, crisis_log.c.turn == number, crisis_log.c.kind == entry.kind
    )
    if (await connection.execute(same)).first() is None:
        values = {name: getattr(entry, name) for name in CrisisEntry.__slots__} | {"tools": list(entry.tools)}
        await connection.execute(insert(crisis_log).values(**values, turn=number))
