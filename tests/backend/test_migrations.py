"""The database's shape, from nothing, from the package, wholly or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from couchvoice.backend import SqlStore, migrations
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.store import Counts, Turn
from couchvoice.backend.tables import metadata
from couchvoice.errors import ConfigError
from tests.backend.ends import any_turn


async def test_the_migrations_lead_from_nothing_to_the_present_tables(tmp_path: Path) -> None:
    path = tmp_path / "100% new.db"
    for _ in range(2):
        await asyncio.to_thread(migrations.upgrade, make_url(f"sqlite+aiosqlite:///{path}"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def _turn(user_text: str) -> Turn:
    return any_turn(thread_id="t", owner="ada", client_turn_id=user_text, user_text=user_text)


async def test_a_migration_that_fails_leaves_no_table(tmp_path: Path) -> None:
    path = tmp_path / "half.db"
    occupied = sqlite3.connect(path)
    occupied.execute("CREATE TABLE arcs (other TEXT)")
    occupied.commit()
    with pytest.raises(Exception, match="already exists"):
        await asyncio.to_thread(migrations.upgrade, make_url(f"sqlite+aiosqlite:///{path}"))
    assert occupied.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("arcs",)]
    occupied.close()


async def test_two_stores_that_begin_at_once_on_one_file_lose_and_double_nothing(tmp_path: Path) -> None:
    stores = [SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'state' / 'backend.db'}") for _ in range(2)]
    counts = await asyncio.gather(*(stores[n % 2].turns.record(_turn(f"turn {n}")) for n in range(20)))
    assert sorted(counts) == list(range(1, 21))
    arcs = await asyncio.gather(
        *(Finalizer(store).finalize_when_free("t", owner="ada", session_id="rtc_a") for store in stores)
    )
    assert [arc.turn_count for arc in arcs if arc is not None] == [20, 20]
    assert await stores[0].turns.counts("ada") == Counts(sessions=1, turns=20)
    for store in [*stores, *stores]:
        await store.close()


def test_migrations_and_crisis_lines_are_package_data() -> None:
    package = resources.files("couchvoice.backend")
    assert (package / "migrations" / "env.py").is_file()
    assert (package / "migrations" / "versions" / "v0001_talks.py").is_file()
    assert (package / "crisis_resources.yaml").is_file()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "nonsense:password"])
def test_a_database_without_a_file_is_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SqlStore(url)
    assert "password" not in str(refused.value)
