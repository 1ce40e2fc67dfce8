from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from couchvoice.backend import SqlStore
from tests.backend.ends import BackendEnd, running_backend
from tests.backend.postgres import running_postgres


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state") as end:
        yield end


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a database; what is in it belongs to the test before."""
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'state' / 'backend.db'}"
    url: str = request.getfixturevalue("postgres")
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string())
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    return url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[SqlStore]:
    store = SqlStore(database_url)
    yield store
    await store.close()
