"""Feedback in a database."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from couchvoice.backend.database import Database
from couchvoice.backend.tables import feedback as table
from couchvoice.contract import Feedback

_NO_SESSION = ""  # the client did not name its session; NULL would be another one each time


class SqlFeedback:
    """Implements FeedbackBook."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, feedback: Feedback, *, thread_id: str, owner: str, session_id: str | None) -> None:
        session_id = session_id or _NO_SESSION
        try:
            await self._keep(feedback, thread_id, owner, session_id)
        except IntegrityError:
            # The same session gave it at the same moment; now its row is there to be replaced.
            await self._keep(feedback, thread_id, owner, session_id)

    async def last(self, thread_id: str, *, owner: str) -> Feedback | None:
        if not self._database.begun():
            return None
        own = (table.c.thread_id == thread_id) & (table.c.owner == owner)
        newest = select(table.c.feedback).where(own).order_by(table.c.id.desc()).limit(1)
        async with self._database.begin() as connection:
            found: Feedback | None = (await connection.execute(newest)).scalar()
        return found

    async def purge(self, *, given_before: datetime) -> None:
        if self._database.begun():
            async with self._database.begin() as connection:
                await connection.execute(delete(table).where(table.c.given_at < given_before))

    async def _keep(self, feedback: Feedback, thread_id: str, owner: str, session_id: str) -> None:
        of_session = {"thread_id": thread_id, "owner": owner, "session_id": session_id}
        async with self._database.begin() as connection:
            await connection.execute(delete(table).filter_by(**of_session))
            row = {**of_session, "feedback": feedback, "given_at": datetime.now(UTC)}
            await connection.execute(insert(table).values(row))
