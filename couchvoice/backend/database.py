"""The database: SQLite in a file by default, PostgreSQL for several processes. Not what is kept in it.

Law: lazy (before something is to be kept there is no file, no directory, no table), private (directory 0700, file
0600, deleted text is overwritten), and one transaction at a time per SQLite file. What the database says of an error
may hold what was spoken: only the error's name leaves this file.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from sqlalchemy import Connection, NullPool, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from couchvoice.backend import migrations
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tables import SCHEMA_VERSION
from couchvoice.errors import ConfigError
from couchvoice.outside import outside_work
from couchvoice.private_files import make_private_folder, open_private_file

CONNECT_TIMEOUT = 10  # seconds
TRUSTED = 5.0  # seconds for which a connection that was used is believed to be alive
CONNECTIONS = 10  # of a process to PostgreSQL, which by default takes 100 in all
STATEMENT_TIMEOUT = 30  # seconds, PostgreSQL; whoever waits for a thread's row waits no longer
CLOSE_TIMEOUT = 3  # seconds for the transactions that run when the database is closed

_DRIVERS = {"sqlite": "aiosqlite", "postgresql": "asyncpg", "postgres": "asyncpg"}
_HOW = "write sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME"
_ID_BYTES = 8
_USED_AT = "used_at"
_CORRUPT = ("file is not a database", "database disk image is malformed")

_log = logging.getLogger("couchvoice.backend")


class Database:
    """``process`` tells this one from others on the same database. May be used again after ``close()``."""

    def __init__(self, url: str) -> None:
        """Raises ConfigError."""
        self._url = _read_url(url)
        self._file = _sqlite_file(self._url)
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()
        self._transactions = 0  # that are running
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self.process = secrets.token_hex(_ID_BYTES)

    def begun(self) -> bool:
        """Something may be there to read. Until then reading must not make a file."""
        return self._file is None or self._file.exists()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction. Raises Refused (503) when the database does not answer."""
        with _unavailable(), outside_work():
            engine = await self._open()
            with self._busy():
                async with engine.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """To look something up. Each statement stands alone: a transaction takes two more trips to PostgreSQL.

        Raises as ``begin``.
        """
        if self._file is not None:
            async with self.begin() as connection:
                yield connection
            return
        with _unavailable(), outside_work():
            engine = await self._open()
            with self._busy():
                async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                    yield connection

    async def close(self) -> None:
        async with self._opening:
            if self._engine is not None:
                # A connection that is in use now would go back to a pool that nobody closes any more.
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_TIMEOUT):
                        await self._at_rest.wait()
                with outside_work():
                    await self._engine.dispose()
                self._engine = None

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._transactions += 1
        self._at_rest.clear()
        try:
            yield
        finally:
            self._transactions -= 1
            if not self._transactions:
                self._at_rest.set()

    async def _open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                if self._file is not None:
                    await asyncio.to_thread(_make_private, self._file)
                await self._migrate()
                self._engine = _engine(self._url)
            return self._engine

    async def _migrate(self) -> None:
        try:
            found = await _version(self._url)
            if found == SCHEMA_VERSION:
                return
            if found is not None and found > SCHEMA_VERSION:
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "database_newer",
                    f"the database belongs to a newer couchvoice (schema {found}, known is {SCHEMA_VERSION})",
                )
        except DatabaseError as exc:
            if self._file is None or str(exc.orig) not in _CORRUPT:
                raise
            _quarantine(self._file)
        # In a thread: importing alembic and running it would hold up a media loop in the same process.
        await asyncio.to_thread(migrations.upgrade, self._url)


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigError(f"the database URL cannot be read: {_HOW}") from None
    name = url.drivername.partition("+")[0]
    if name not in _DRIVERS or url.drivername not in (name, f"{name}+{_DRIVERS[name]}"):
        raise ConfigError(f"the database {url.drivername} is not one that the backend knows: {_HOW}")
    if importlib.util.find_spec(_DRIVERS[name]) is None:
        raise ConfigError(f"{_DRIVERS[name]} is missing: pip install 'couchvoice[postgres]'")
    return url.set(drivername=f"{'postgresql' if name == 'postgres' else name}+{_DRIVERS[name]}")


def _sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite database; None for a database server."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError("a SQLite database needs a file: write sqlite+aiosqlite:///FILE")
    return Path(url.database)


def _make_private(file: Path) -> None:
    """SQLite gives what it puts beside the file the file's own mode."""
    make_private_folder(file.parent)
    os.close(open_private_file(file, os.O_CREAT | os.O_RDWR))


def _quarantine(file: Path) -> None:
    """A file that is no database goes aside, for whoever wants to look at it, and a new one takes its place."""
    aside = file.with_name(f"{file.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    file.rename(aside)
    _make_private(file)
    _log.error("x the database %s cannot be read: it is now %s, and a new one begins", file, aside.name)


async def _version(url: URL) -> str | None:
    """The schema's, without alembic, whose import alone takes a quarter of a second. None: there is no schema yet."""
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=_connect_arguments(url))
    try:
        async with engine.connect() as connection:
            return (await connection.execute(select(migrations.VERSION))).scalar_one_or_none()
    except (OperationalError, ProgrammingError) as exc:
        if migrations.is_missing_table(exc):
            return None
        raise
    finally:
        await engine.dispose()


def _connect_arguments(url: URL) -> dict[str, object]:
    if url.get_backend_name() == "sqlite":
        return {}
    return {"timeout": CONNECT_TIMEOUT, "command_timeout": STATEMENT_TIMEOUT}


def _engine(url: URL) -> AsyncEngine:
    # Without hide_parameters an IntegrityError's text, and SQLAlchemy's log, hold what was spoken.
    if url.get_backend_name() != "sqlite":
        # No overflow: those connections are closed after each use, and opening one takes longer than a turn.
        engine = create_async_engine(
            url, hide_parameters=True, pool_size=CONNECTIONS, max_overflow=0, connect_args=_connect_arguments(url)
        )
        event.listen(engine.sync_engine, "checkin", _put_aside)
        event.listen(engine.sync_engine, "checkout", _require_alive)
        return engine
    # aiosqlite logs each statement with its parameters at DEBUG; there is no other way to keep speech out of that log.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    # SQLite has one writer anyway: one connection waits its turn here instead of failing with "database is locked".
    engine = create_async_engine(url, hide_parameters=True, pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _lock_database)
    return engine


def _put_aside(_: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


def _require_alive(connection: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
    """Ask a connection that was not used for a while whether it is still one; a trip for each use would be dear."""
    if time.monotonic() - record.info.get(_USED_AT, time.monotonic()) > TRUSTED:
        try:
            connection.ping()  # SQLAlchemy's own connection to asyncpg has it
        except Exception as exc:  # whatever the driver says: the pool opens another
            raise DisconnectionError from exc


def _set_up_sqlite(connection: DBAPIConnection, _: object) -> None:
    # Python's sqlite3 begins a transaction at the first write only, too late to have read anything in it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _lock_database(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as exc:
        # Of asyncpg's errors those of a lost connection have no class of their own in SQLAlchemy.
        lost = isinstance(exc, OperationalError | InterfaceError) or getattr(exc, "connection_invalidated", False)
        if isinstance(exc, DBAPIError) and not lost:
            raise
        cause = getattr(exc, "orig", None) or exc
        _log.error("x the database does not answer: %s", type(cause).__name__)
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", "the database does not answer: ask again"
        ) from exc
