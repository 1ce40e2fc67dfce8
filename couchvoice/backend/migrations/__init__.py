"""How the database got its shape: alembic's versions, run from the installed package, without an alembic.ini.

Law: a migration happens wholly or not at all, and its files are package data.
"""

from __future__ import annotations

import asyncio
import threading
from importlib import resources

from sqlalchemy import Connection, NullPool
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

# alembic.context is one per process.
_one_at_a_time = threading.Lock()


def upgrade(url: URL) -> None:
    """Bring the database to the newest version. Blocking, with an event loop of its own: call it in a thread."""
    with _one_at_a_time:
        asyncio.run(_upgrade(url))


async def _upgrade(url: URL) -> None:
    engine = create_async_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await engine.dispose()


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    with resources.as_file(resources.files(__name__)) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
