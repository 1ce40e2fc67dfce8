"""The store in a database. Its parts have a file each; they share one Database."""

from __future__ import annotations

from sqlalchemy import select

from couchvoice.backend.database import Database
from couchvoice.backend.memory.sql_memories import SqlMemories
from couchvoice.backend.sql_crisis_log import SqlCrisisLog
from couchvoice.backend.sql_endings import SqlEndings
from couchvoice.backend.sql_exercises import SqlExercises
from couchvoice.backend.sql_feedback import SqlFeedback
from couchvoice.backend.sql_pauses import SqlPauses
from couchvoice.backend.sql_sessions import SqlSessions
from couchvoice.backend.sql_threads import SqlThreads
from couchvoice.backend.sql_turns import SqlTurns


class SqlStore:
    """Implements Store. May be used again after ``close()``."""

    def __init__(self, database_url: str) -> None:
        """Raises ConfigError."""
        self.database = Database(database_url)
        self.turns = SqlTurns(self.database)
        self.threads = SqlThreads(self.database)
        self.endings = SqlEndings(self.database)
        self.sessions = SqlSessions(self.database)
        self.crisis = SqlCrisisLog(self.database)
        self.memory = SqlMemories(self.database)
        self.exercises = SqlExercises(self.database)
        self.feedback = SqlFeedback(self.database)
        self.pauses = SqlPauses(self.database)

    async def check(self) -> None:
        if self.database.begun():
            async with self.database.read() as connection:
                await connection.execute(select(1))

    async def close(self) -> None:
        await self.database.close()
