"""The threads in a database: what an owner has, and how it goes away."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.database import Database
from couchvoice.backend.memory.sql_layers import lock_owner
from couchvoice.backend.memory.sql_search import overwrite
from couchvoice.backend.memory.sql_writing import erase_owner, erase_thread
from couchvoice.backend.sql_rows import lock_thread, not_found, thread_of
from couchvoice.backend.store import Gone, Place, Thread
from couchvoice.backend.tables import arcs, crisis_log, exercise_runs, feedback, sessions, threads, turns, user_pauses


class SqlThreads:
    """Implements Threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(self, owner: str | None, *, before: Place | None, limit: int) -> list[Thread]:
        if not self._database.begun():
            return []
        whose: ColumnElement[bool] = threads.c.owner == owner if owner is not None else threads.c.guest
        found = select(threads).where(whose).order_by(threads.c.created_at.desc(), threads.c.id.desc()).limit(limit)
        if before is not None:
            began, thread_id = before
            found = found.where(
                or_(
                    threads.c.created_at < began,
                    and_(threads.c.created_at == began, threads.c.id < thread_id),
                )
            )
        async with self._database.read() as connection:
            return [thread_of(row) for row in (await connection.execute(found)).mappings()]

    async def find(self, thread_id: str, *, owner: str) -> Thread:
        if not self._database.begun():
            raise not_found()
        wanted = select(threads).where(threads.c.id == thread_id, threads.c.owner == owner)
        async with self._database.read() as connection:
            row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            raise not_found()
        return thread_of(row)

    async def owner(self, thread_id: str) -> str | None:
        if not self._database.begun():
            return None
        opened = select(sessions.c.user_id).where(sessions.c.thread_id == thread_id).order_by(sessions.c.opened_at)
        async with self._database.read() as connection:
            for wanted in (select(threads.c.owner).where(threads.c.id == thread_id), opened.limit(1)):
                found = (await connection.execute(wanted)).first()
                if found is not None:
                    return found[0] or thread_id
        return None

    async def delete(self, thread_id: str, *, owner: str) -> int:
        if not self._database.begun():
            raise not_found()
        async with self._database.begin() as connection:
            thread = await lock_thread(connection, thread_id, owner=owner)
            if thread is None:
                raise not_found()
            await lock_owner(connection, owner)
            await _delete(connection, thread_id, owner)
            await overwrite(connection)
            return int(thread["turn_count"])

    async def erase(self, owner: str) -> Gone:
        if not self._database.begun():
            return Gone(0, 0)
        async with self._database.begin() as connection:
            owned = select(threads.c.id, threads.c.turn_count).where(threads.c.owner == owner)
            rows = (await connection.execute(owned.order_by(threads.c.id).with_for_update())).all()
            await lock_owner(connection, owner)
            for thread_id, _ in rows:
                await _delete(connection, thread_id, owner)
            await erase_owner(connection, owner)
            await overwrite(connection)
            # Of sessions in which nothing was said yet.
            mine = or_(sessions.c.user_id == owner, sessions.c.user_id.is_(None) & (sessions.c.thread_id == owner))
            await connection.execute(delete(sessions).where(mine))
            for table in (exercise_runs, feedback, user_pauses):
                await connection.execute(delete(table).where(table.c.owner == owner))
        return Gone(len(rows), sum(turn_count for _, turn_count in rows))


async def _delete(connection: AsyncConnection, thread_id: str, owner: str) -> None:
    await erase_thread(connection, owner, thread_id)
    for table in (crisis_log, turns, arcs, sessions, exercise_runs, feedback):
        await connection.execute(delete(table).where(table.c.thread_id == thread_id))
    if owner == thread_id:  # a guest: with the thread goes all that is known of them
        await connection.execute(delete(user_pauses).where(user_pauses.c.owner == owner))
    await connection.execute(delete(threads).where(threads.c.id == thread_id))
