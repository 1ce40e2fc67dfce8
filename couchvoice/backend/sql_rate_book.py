"""The rate book of several processes: a table of the PostgreSQL database that they share.

Law: a row is locked from its reading to its writing, in the order of the keys, so that two processes neither both
spend the last of an allowance nor wait for each other. A row holds a hash and the seconds of the last minute; the
table is unlogged (it survives no crash and reaches no archive) and therefore stands in no migration.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from sqlalchemy import JSON, Column, Delete, Float, MetaData, String, Table, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from couchvoice.backend.rate_book import WINDOW, Allowance, turn_page

_CONNECTIONS = 5
_FORGET_EVERY = 1.0  # seconds
_FORGOTTEN = 1000  # rows at a time

_rates = Table(
    "rates",
    MetaData(),
    Column("key", String, primary_key=True),
    Column("spent", JSON, nullable=False),  # seconds since the epoch
    Column("last", Float, nullable=False, index=True),
    prefixes=["UNLOGGED"],
)


class SqlRateBook:
    """Implements RateBook. ``url``: SQLAlchemy's, of a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self._engine: AsyncEngine = create_async_engine(
            url, hide_parameters=True, pool_size=_CONNECTIONS, max_overflow=0
        )
        self._is_open = False
        self._forgot_at = -math.inf
        self._opening = asyncio.Lock()

    async def spend(self, allowances: Sequence[Allowance], *, now: float) -> float:
        await self._open()
        try:
            return await self._spend(allowances, now)
        except DBAPIError as exc:
            if not exc.connection_invalidated:
                raise
            return await self._spend(allowances, now)  # the server was started again: the pool has new connections

    async def _spend(self, allowances: Sequence[Allowance], now: float) -> float:
        blank = [{"key": key, "spent": [], "last": now} for key in sorted(allowance.key for allowance in allowances)]
        async with self._engine.begin() as connection:
            # An upsert locks the row, whether it was there or not.
            touch = insert(_rates).values(blank).on_conflict_do_update(index_elements=["key"], set_={"last": now})
            rows = await connection.execute(touch.returning(_rates.c.key, _rates.c.spent))
            wait, pages = turn_page(allowances, {row.key: row.spent for row in rows}, now=now)
            if wait == 0:
                for key, page in pages.items():
                    await connection.execute(update(_rates).where(_rates.c.key == key).values(spent=page))
            if abs(now - self._forgot_at) >= _FORGET_EVERY:
                self._forgot_at = now
                await connection.execute(_forget(now))
        return wait

    async def close(self) -> None:
        await self._engine.dispose()

    async def _open(self) -> None:
        async with self._opening:
            if not self._is_open:
                try:
                    await self._create()
                except (IntegrityError, ProgrammingError):
                    await self._create()  # another process did so at the same moment, which PostgreSQL takes amiss
                self._is_open = True

    async def _create(self) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(_rates.create, checkfirst=True)


def _forget(now: float) -> Delete:
    """Some of what no window holds any more, past whoever is at work on it."""
    old = select(_rates.c.key).where(_rates.c.last < now - WINDOW).limit(_FORGOTTEN).with_for_update(skip_locked=True)
    return delete(_rates).where(_rates.c.key.in_(old))
