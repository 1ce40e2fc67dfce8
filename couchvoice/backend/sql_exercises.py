"""The runs of exercises in a database: where each stands, and nothing that was said in it."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import RowMapping, Select, insert, select, update

from couchvoice.backend.database import Database
from couchvoice.backend.exercises.book import MAX_RECENT, Change, Place
from couchvoice.backend.exercises.run import Phase, Run
from couchvoice.backend.tables import exercise_runs as runs

T = TypeVar("T")

_COLUMNS = [runs.c[field.name] for field in fields(Run)]


class SqlExercises:
    """Implements ExerciseBook."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def recent(self, place: Place) -> list[str]:
        if not self._database.begun():
            return []
        newest = (
            select(runs.c.exercise_id).where(runs.c.owner == place.owner).order_by(runs.c.id.desc()).limit(MAX_RECENT)
        )
        async with self._database.begin() as connection:
            return list((await connection.execute(newest)).scalars())

    async def begin(self, place: Place, run: Run) -> None:
        row = {**asdict(place), **asdict(run), "changed_at": datetime.now(UTC)}
        async with self._database.begin() as connection:
            await connection.execute(insert(runs).values(row))

    async def current(self, place: Place) -> Run | None:
        if not self._database.begun():
            return None
        async with self._database.read() as connection:
            row = (await connection.execute(_newest(place))).mappings().first()
        return _run_of(row) if row is not None else None

    async def change(self, place: Place, change: Change[T]) -> T:
        if not self._database.begun():
            return change(None)[1]
        async with self._database.begin() as connection:
            row = (await connection.execute(_newest(place).with_for_update())).mappings().first()
            before = _run_of(row) if row is not None else None
            after, value = change(before)
            if row is not None and after is not None and after != before:
                changed = {**asdict(after), "changed_at": datetime.now(UTC)}
                await connection.execute(update(runs).where(runs.c.id == row["id"]).values(changed))
        return value


def _newest(place: Place) -> Select[tuple[object, ...]]:
    own = (runs.c.owner == place.owner) & (runs.c.thread_id == place.thread_id)
    return select(runs.c.id, *_COLUMNS).where(own).order_by(runs.c.id.desc()).limit(1)


def _run_of(row: RowMapping) -> Run:
    values = {field.name: row[field.name] for field in fields(Run)}
    return Run(**{**values, "phase": Phase(row["phase"])})
