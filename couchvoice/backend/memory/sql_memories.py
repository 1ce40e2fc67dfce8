"""Memory in a database. Its parts share the Database of the store; the switch that allows recall stands here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select

from couchvoice.backend.database import Database
from couchvoice.backend.memory.sql_deletions import SqlDeletions, SqlPendingDeletions
from couchvoice.backend.memory.sql_layers import lock_owner
from couchvoice.backend.memory.sql_records import SqlRecords
from couchvoice.backend.memory.sql_search import SqlSearch
from couchvoice.backend.memory.tables import recall_switches


class SqlRecallSwitch:
    """Implements RecallSwitch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_on(self, owner: str) -> bool:
        if not self._database.begun():
            return False
        async with self._database.read() as connection:
            found = await connection.execute(select(recall_switches.c.enabled).where(recall_switches.c.owner == owner))
            return bool(found.scalar_one_or_none())

    async def turn(self, owner: str, *, on: bool, now: datetime) -> None:
        async with self._database.begin() as connection:
            await lock_owner(connection, owner)
            await connection.execute(delete(recall_switches).where(recall_switches.c.owner == owner))
            await connection.execute(insert(recall_switches).values(owner=owner, enabled=on, changed_at=now))


class SqlMemories:
    """Implements Memories."""

    def __init__(self, database: Database) -> None:
        self.records = SqlRecords(database)
        self.search = SqlSearch(database)
        self.deletions = SqlDeletions(database)
        self.pending = SqlPendingDeletions(database)
        self.recall = SqlRecallSwitch(database)
