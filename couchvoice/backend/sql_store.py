"""The store in a database: SQLite by default, portable to PostgreSQL.

Law: lazy (before the first turn is recorded there is no file, no directory, no table), private (directory 0700,
file 0600), and in order: the turns of a thread are numbered one after the other, whoever writes at once, because
each transaction first locks its thread (PostgreSQL: the thread's row; SQLite: the database).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from sqlalchemy import Connection, RowMapping, event, func, insert, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from couchvoice.backend import migrations
from couchvoice.backend.refusals import Refused
from couchvoice.backend.store import Arc, Counts, Summarize, Turn
from couchvoice.backend.tables import arcs, threads, turns
from couchvoice.errors import ConfigError

_TURN_NAMES = [field.name for field in fields(Turn)]
_TURN_COLUMNS = [turns.c[name] for name in _TURN_NAMES if name in turns.c]
_ARC_COLUMNS = [arcs.c[field.name] for field in fields(Arc)]


class SqlStore:
    """Implements Store. May be used again after ``close()``."""

    def __init__(self, database_url: str) -> None:
        try:
            self._url = make_url(database_url)
        except ArgumentError:
            raise ConfigError("the database URL cannot be read: write sqlite+aiosqlite:///FILE") from None
        self._file = _sqlite_file(self._url)
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()

    async def record(self, turn: Turn) -> int:
        engine = await self._open()
        try:
            return await _record(engine, turn)
        except IntegrityError:
            # Someone else began the thread at the same moment; now its row is there to be locked.
            return await _record(engine, turn)

    async def finish(
        self, thread_id: str, *, owner: str | None, session_id: str | None, summarize: Summarize
    ) -> Arc | None:
        if not self._begun():
            return None
        async with (await self._open()).begin() as connection:
            kept = await _lock_thread(connection, thread_id)
            if kept is None:
                return None
            if owner is not None:
                _check_owner(kept, owner)
            return await _finish(connection, thread_id, session_id, summarize)

    async def counts(self, owner: str) -> Counts:
        if not self._begun():
            return Counts(0, 0)
        async with (await self._open()).connect() as connection:
            sessions, recorded = [
                (
                    await connection.execute(
                        select(func.count()).select_from(table.join(threads)).where(threads.c.owner == owner)
                    )
                ).scalar_one()
                for table in (arcs, turns)
            ]
        return Counts(sessions, recorded)

    async def close(self) -> None:
        async with self._opening:
            if self._engine is not None:
                await self._engine.dispose()
                self._engine = None

    def _begun(self) -> bool:
        return self._file is None or self._file.exists()

    async def _open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                # In a thread: importing alembic and running it would hold up a media loop in the same process.
                await asyncio.to_thread(self._prepare)
                self._engine = _engine(self._url)
            return self._engine

    def _prepare(self) -> None:
        if self._file is not None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.touch(mode=0o600)
        migrations.upgrade(self._url)


def _sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite database; None for a database server."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError("a SQLite database needs a file: write sqlite+aiosqlite:///FILE")
    return Path(url.database)


def _engine(url: URL) -> AsyncEngine:
    # Without hide_parameters an IntegrityError's text, and SQLAlchemy's log, hold what was spoken.
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, hide_parameters=True)
    # aiosqlite logs each statement with its parameters at DEBUG; there is no other way to keep speech out of that log.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    # SQLite has one writer anyway: one connection waits its turn here instead of failing with "database is locked".
    engine = create_async_engine(url, hide_parameters=True, pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _leave_transactions_to_us)
    event.listen(engine.sync_engine, "begin", _lock_database)
    return engine


def _leave_transactions_to_us(connection: DBAPIConnection, _: object) -> None:
    # Python's sqlite3 begins a transaction at the first write only, too late to have read anything in it.
    connection.isolation_level = None


def _lock_database(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def _record(engine: AsyncEngine, turn: Turn) -> int:
    async with engine.begin() as connection:
        kept = await _lock_thread(connection, turn.thread_id)
        if kept is None:
            await connection.execute(
                insert(threads).values(id=turn.thread_id, owner=turn.owner, created_at=datetime.now(UTC))
            )
        else:
            _check_owner(kept, turn.owner)
        before = await _stored(connection, turn)
        if before is not None:
            if before["fingerprint"] != turn.fingerprint:
                raise Refused(
                    HTTPStatus.CONFLICT, "turn_conflict", "this client_turn_id was recorded with another body"
                )
            return int(before["message_count"])
        last = await _last_turn(connection, turn.thread_id)
        number, messages = (last["number"], last["message_count"]) if last is not None else (0, 0)
        messages += sum(1 for text in (turn.user_text, turn.assistant_text) if text)
        values = {column.name: getattr(turn, column.name) for column in _TURN_COLUMNS}
        await connection.execute(
            insert(turns).values(**values, number=number + 1, message_count=messages, created_at=datetime.now(UTC))
        )
        return int(messages)


async def _finish(
    connection: AsyncConnection, thread_id: str, session_id: str | None, summarize: Summarize
) -> Arc | None:
    of_thread = select(*_ARC_COLUMNS, arcs.c.last_turn).where(arcs.c.thread_id == thread_id)
    if session_id is not None:
        own = (await connection.execute(of_thread.where(arcs.c.session_id == session_id))).mappings().first()
        if own is not None:
            return _arc(own)
    last = (await connection.execute(of_thread.order_by(arcs.c.last_turn.desc()).limit(1))).mappings().first()
    fresh = await _turns_after(connection, thread_id, last["last_turn"] if last is not None else 0)
    if not fresh:
        # A client that names no session and asks again means the one it ended; a named one was too short.
        return _arc(last) if last is not None and session_id is None else None
    arc = summarize([_turn(row) for row in fresh])
    values = {column.name: getattr(arc, column.name) for column in _ARC_COLUMNS}
    await connection.execute(
        insert(arcs).values(
            **values,
            thread_id=thread_id,
            session_id=session_id,
            last_turn=fresh[-1]["number"],
            created_at=datetime.now(UTC),
        )
    )
    return arc


async def _lock_thread(connection: AsyncConnection, thread_id: str) -> str | None:
    """The thread's owner, and the thread to ourselves until the transaction ends. None: there is no such thread."""
    found = await connection.execute(select(threads.c.owner).where(threads.c.id == thread_id).with_for_update())
    return found.scalar_one_or_none()


def _check_owner(kept: str, claimed: str) -> None:
    if kept != claimed:
        raise Refused(HTTPStatus.NOT_FOUND, "thread_not_found", "there is no such thread")


async def _stored(connection: AsyncConnection, turn: Turn) -> RowMapping | None:
    if turn.client_turn_id is None:
        return None
    found = await connection.execute(
        select(turns.c.fingerprint, turns.c.message_count).where(
            turns.c.thread_id == turn.thread_id, turns.c.client_turn_id == turn.client_turn_id
        )
    )
    return found.mappings().first()


async def _last_turn(connection: AsyncConnection, thread_id: str) -> RowMapping | None:
    newest = select(turns.c.number, turns.c.message_count).where(turns.c.thread_id == thread_id)
    return (await connection.execute(newest.order_by(turns.c.number.desc()).limit(1))).mappings().first()


async def _turns_after(connection: AsyncConnection, thread_id: str, number: int) -> Sequence[RowMapping]:
    later = select(turns, threads.c.owner).join(threads).where(turns.c.thread_id == thread_id, turns.c.number > number)
    return (await connection.execute(later.order_by(turns.c.number))).mappings().all()


def _turn(row: RowMapping) -> Turn:
    return Turn(**{name: row[name] for name in _TURN_NAMES})


def _arc(row: RowMapping) -> Arc:
    return Arc(**{column.name: row[column] for column in _ARC_COLUMNS})
