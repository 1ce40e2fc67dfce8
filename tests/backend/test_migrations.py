"""The database's shape, from nothing, from the package, wholly or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy import text as text_clause
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from couchvoice.backend import SqlStore, migrations
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.refusals import Refused
from couchvoice.backend.store import Counts, Turn
from couchvoice.backend.tables import SCHEMA_VERSION, metadata
from couchvoice.errors import ConfigError
from tests.backend.ends import any_turn


async def _run(url: str, work: Callable[[Connection], object]) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _differences(connection: Connection) -> object:
    # The full-text index is no table of SQLAlchemy's: of SQLite it is a virtual one with shadows, memory_search_data…
    def is_ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or not (name or "").startswith("memory_search")

    return compare_metadata(MigrationContext.configure(connection, opts={"include_name": is_ours}), metadata)


async def test_the_migrations_lead_from_nothing_to_the_present_tables_and_back(database_url: str) -> None:
    url = make_url(database_url)
    if url.database and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir()
    for _ in range(2):
        await asyncio.to_thread(migrations.upgrade, url)
    assert await _run(database_url, _differences) == []
    await asyncio.to_thread(migrations.downgrade, url, "base")
    assert await _run(database_url, lambda c: inspect(c).get_table_names()) == ["alembic_version"]
    await asyncio.to_thread(migrations.upgrade, url)
    assert await _run(database_url, _differences) == []


async def test_what_an_older_version_kept_has_its_place_in_the_newer_one(store: SqlStore, database_url: str) -> None:
    for text in ("one", "two"):
        await store.turns.record(any_turn(text, owner="t"))
    assert await Finalizer(store).finalize("t", owner="t", session_id="rtc_a") is not None
    await store.turns.record(any_turn("three", owner="t", assistant_text="yes"))
    was = await store.threads.find("t", owner="t")
    await store.close()
    await asyncio.to_thread(migrations.downgrade, make_url(database_url), "0001")
    old = """{"route": "crisis", "response_style": null}"""
    await _run(database_url, lambda c: c.execute(text_clause("UPDATE turns SET diagnostics = :old"), {"old": old}))
    now = await store.threads.find("t", owner="t")
    assert (now.turn_count, now.message_count, now.open_turns, now.guest) == (3, 4, 1, True)
    assert (now.finalization, now.active_at, now.finalized_at) == ("idle", was.active_at, was.finalized_at)
    kept = await store.turns.history("t", owner="t", after=0, limit=9)
    assert [(turn.turn.user_text, turn.turn.route) for turn in kept] == [
        ("one", "crisis"), ("two", "crisis"), ("three", "crisis"),
    ]  # fmt: skip


def test_the_version_that_the_store_looks_for_is_the_newest_migration() -> None:
    with resources.as_file(resources.files(migrations.__name__)) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


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
    assert (package / "migrations" / "versions" / "v0002_endings.py").is_file()
    assert (package / "crisis" / "resources.yaml").is_file()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "nonsense:password"])
def test_a_database_without_a_file_is_refused_without_repeating_the_url(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SqlStore(url)
    assert "password" not in str(refused.value)


def _corrupt(folder: Path) -> list[Path]:
    return list(folder.glob("backend.db.corrupt-*"))


@pytest.mark.parametrize("rubbish", [b"not a database at all, " * 200, b"SQLite format 3\0" + b"\xff" * 4000])
async def test_a_file_that_is_no_database_goes_aside_and_a_new_one_begins(
    tmp_path: Path, rubbish: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "backend.db"
    path.write_bytes(rubbish)
    store = SqlStore(f"sqlite+aiosqlite:///{path}")
    assert await store.turns.record(_turn("hello")) == 1
    await store.close()
    (aside,) = _corrupt(tmp_path)
    assert aside.read_bytes() == rubbish
    assert f"it is now {aside.name}" in caplog.text


async def test_a_database_of_a_newer_couchvoice_is_not_touched(store: SqlStore, database_url: str) -> None:
    await store.turns.record(_turn("hello"))
    await store.close()
    await _run(database_url, lambda c: c.execute(text_clause("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(Refused, match="newer couchvoice"):
        await store.turns.record(_turn("more"))
