"""How the database got its shape: alembic's versions, run from the installed package, without an alembic.ini.

Law: a migration happens wholly or not at all, whoever else starts at the same moment, and its files are package data.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

from sqlalchemy import Connection, NullPool, column, table
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from alembic.config import Config

# Where alembic writes down how far it came.
VERSION = table("alembic_version", column("version_num")).c.version_num

_UNDEFINED_TABLE = "42P01"  # PostgreSQL's SQLSTATE
# alembic.context is one per process.
_one_at_a_time = threading.Lock()


def upgrade(url: URL) -> None:
    """Bring the database to the newest version. Blocking, with an event loop of its own: call it in a thread."""

    def run(config: Config) -> None:
        from alembic import command

        command.upgrade(config, "head")

    _migrate(url, run)


def downgrade(url: URL, revision: str) -> None:
    """Back to what an older couchvoice knows; what only the newer one kept is lost. Blocking, as ``upgrade``."""

    def run(config: Config) -> None:
        from alembic import command

        command.downgrade(config, revision)

    _migrate(url, run)


def is_missing_table(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE or "no such table" in str(error.orig)


def _migrate(url: URL, run: Callable[[Config], None]) -> None:
    with _one_at_a_time:
        asyncio.run(_run(url, run))


async def _run(url: URL, run: Callable[[Config], None]) -> None:
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run_on, run)
            await connection.commit()
    finally:
        await engine.dispose()


def _run_on(connection: Connection, run: Callable[[Config], None]) -> None:
    from alembic.config import Config

    with resources.as_file(resources.files(__name__)) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        run(config)
