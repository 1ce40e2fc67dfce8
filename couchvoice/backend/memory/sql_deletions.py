"""Deleting in a database: at once by number, in two steps by voice, and back again within RESTORABLE.

Law: what was confirmed is exactly what was prepared; what is over its time is gone for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, select

from couchvoice.backend.database import Database
from couchvoice.backend.memory.records import (
    PENDING_LIFETIME,
    RESTORABLE,
    Confirmed,
    Kind,
    Record,
    RecordId,
    no_such_record,
    read_record_id,
)
from couchvoice.backend.memory.sql_layers import LAYERS, kept, lock_owner, record_of, rows_of
from couchvoice.backend.memory.sql_search import overwrite
from couchvoice.backend.memory.sql_writing import bring_back, forget, number_of
from couchvoice.backend.memory.tables import candidates, pending_deletions

HELD = timedelta(days=90)  # that nobody has mentioned
EXPIRED_KNOWN = timedelta(hours=1)  # in which who confirms too late is told so, and not that nothing was asked


class SqlDeletions:
    """Implements Deletions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete_at(self, owner: str, kind: Kind, index: int, *, now: datetime) -> Record:
        if index < 1 or not self._database.begun():
            raise no_such_record()
        table = LAYERS[kind].table
        shown = select(table.c.id).where(kept(kind, owner)).order_by(table.c.id).offset(index - 1).limit(1)
        async with self._database.begin() as connection:
            await lock_owner(connection, owner)
            number = (await connection.execute(shown)).scalar_one_or_none()
            if number is None:
                raise no_such_record()
            return (await forget(connection, owner, [RecordId(kind=kind, number=number)], now=now))[0]

    async def deleted(self, owner: str, *, limit: int) -> list[Record]:
        if not self._database.begun():
            return []
        found: list[Record] = []
        async with self._database.begin() as connection:
            for kind, (table, _) in LAYERS.items():
                gone = rows_of(kind).where(table.c.owner == owner, table.c.deleted_at.is_not(None))
                last = gone.order_by(table.c.deleted_at.desc(), table.c.id.desc()).limit(limit)
                found += [record_of(row, kind) for row in (await connection.execute(last)).mappings()]
        found.sort(key=lambda record: record.deleted_at or record.created_at, reverse=True)
        return found[:limit]

    async def restore(self, owner: str, record: RecordId, *, now: datetime) -> Record:
        if not self._database.begun():
            raise no_such_record()
        table = LAYERS[record.kind].table
        gone = rows_of(record.kind).where(
            table.c.owner == owner, table.c.id == record.number, table.c.deleted_at > now - RESTORABLE
        )
        async with self._database.begin() as connection:
            await lock_owner(connection, owner)
            row = (await connection.execute(gone)).mappings().one_or_none()
            if row is None:
                raise no_such_record()
            await bring_back(connection, owner, record)
            index = await number_of(connection, owner, record)
        return replace(record_of(row, record.kind, index), deleted_at=None)

    async def purge(self, *, now: datetime) -> None:
        if not self._database.begun():
            return
        async with self._database.begin() as connection:
            gone = 0
            for table, _ in LAYERS.values():
                gone += (await connection.execute(delete(table).where(table.c.deleted_at <= now - RESTORABLE))).rowcount
            gone += (await connection.execute(delete(candidates).where(candidates.c.seen_at <= now - HELD))).rowcount
            long_expired = pending_deletions.c.expires_at <= now - EXPIRED_KNOWN
            await connection.execute(delete(pending_deletions).where(long_expired))
            if gone:
                await overwrite(connection)


class SqlPendingDeletions:
    """Implements PendingDeletions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self, owner: str, thread_id: str, records: Sequence[Record], *, now: datetime) -> None:
        async with self._database.begin() as connection:
            await lock_owner(connection, owner)
            await connection.execute(delete(pending_deletions).where(_of(owner, thread_id)))
            await connection.execute(
                insert(pending_deletions).values(
                    owner=owner,
                    thread_id=thread_id,
                    targets=[str(record.id) for record in records],
                    expires_at=now + PENDING_LIFETIME,
                )
            )

    async def confirm(self, owner: str, thread_id: str, *, now: datetime) -> Confirmed:
        if not self._database.begun():
            return Confirmed()
        async with self._database.begin() as connection:
            await lock_owner(connection, owner)
            pending = select(pending_deletions).where(_of(owner, thread_id))
            row = (await connection.execute(pending)).mappings().one_or_none()
            if row is None:
                return Confirmed()
            await connection.execute(delete(pending_deletions).where(_of(owner, thread_id)))
            if row["expires_at"] <= now:
                return Confirmed(expired=True)
            return Confirmed(await forget(connection, owner, [*map(read_record_id, row["targets"])], now=now))

    async def cancel(self, owner: str, thread_id: str) -> bool:
        if not self._database.begun():
            return False
        async with self._database.begin() as connection:
            return (await connection.execute(delete(pending_deletions).where(_of(owner, thread_id)))).rowcount > 0


def _of(owner: str, thread_id: str) -> ColumnElement[bool]:
    return (pending_deletions.c.owner == owner) & (pending_deletions.c.thread_id == thread_id)
