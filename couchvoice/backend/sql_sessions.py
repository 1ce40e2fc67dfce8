"""The persistent sessions in a database. Law: a token itself is never kept, only its hash."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sqlalchemy import delete, insert, select

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.database import Database
from couchvoice.backend.tables import sessions
from couchvoice.private import Private


class SqlSessions:
    """Implements KeptSessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, session_id: str, token: Private, briefing: Briefing) -> None:
        assert briefing.memory_mode == "persistent"  # what is incognito lives in memory only
        async with self._database.begin() as connection:
            await connection.execute(
                insert(sessions).values(
                    id=session_id,
                    token_hash=_hash(token),
                    thread_id=briefing.thread_id,
                    user_id=briefing.user_id,
                    language=briefing.language,
                    save_transcript=briefing.save_transcript,
                    opened_at=datetime.now(UTC),
                )
            )

    async def find(self, token: Private) -> tuple[str, Briefing] | None:
        if not self._database.begun():
            return None
        async with self._database.read() as connection:
            found = await connection.execute(select(sessions).where(sessions.c.token_hash == _hash(token)))
            row = found.mappings().one_or_none()
        if row is None:
            return None
        return row["id"], Briefing(
            thread_id=row["thread_id"],
            user_id=row["user_id"],
            memory_mode="persistent",
            language=row["language"],
            save_transcript=row["save_transcript"],
        )

    async def forget(self, session_id: str) -> None:
        if self._database.begun():
            async with self._database.begin() as connection:
                await connection.execute(delete(sessions).where(sessions.c.id == session_id))

    async def purge(self, *, opened_before: datetime) -> None:
        if self._database.begun():
            async with self._database.begin() as connection:
                await connection.execute(delete(sessions).where(sessions.c.opened_at < opened_before))


def _hash(token: Private) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()
