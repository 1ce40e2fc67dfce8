"""The pauses of each owner in a database: a moving average, and the silence that was asked for last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.database import Database
from couchvoice.backend.pauses import averaged, silence_for
from couchvoice.backend.tables import user_pauses as table


class SqlPauses:
    """Implements PauseBook."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def opened(self, owner: str, *, default: int) -> int:
        try:
            return await self._opened(owner, default)
        except IntegrityError:
            # Another session of the same owner was opened at this moment; now there is a row.
            return await self._opened(owner, default)

    async def heard(self, owner: str, gap: float) -> None:
        async with self._database.begin() as connection:
            row = await _locked(connection, owner)
            if row is not None:  # else the session was opened before anything was to be learnt
                # The provider hears the end only after the silence that it was asked to wait for.
                await _write(connection, owner, pause_ms=averaged(row["pause_ms"], gap + row["silence_ms"]))

    async def silence(self, owner: str) -> int | None:
        if not self._database.begun():
            return None
        async with self._database.begin() as connection:
            pause = (await connection.execute(select(table.c.pause_ms).where(table.c.owner == owner))).scalar()
        return None if pause is None else silence_for(pause)

    async def _opened(self, owner: str, default: int) -> int:
        async with self._database.begin() as connection:
            row = await _locked(connection, owner)
            pause = row["pause_ms"] if row is not None else None
            silence = default if pause is None else silence_for(pause)
            if row is None:
                new = {"owner": owner, "silence_ms": silence, "changed_at": datetime.now(UTC)}
                await connection.execute(insert(table).values(new))
            else:
                await _write(connection, owner, silence_ms=silence)
        return silence


async def _locked(connection: AsyncConnection, owner: str) -> RowMapping | None:
    return (await connection.execute(select(table).where(table.c.owner == owner).with_for_update())).mappings().first()


async def _write(connection: AsyncConnection, owner: str, **values: Any) -> None:
    await connection.execute(update(table).where(table.c.owner == owner).values(**values, changed_at=datetime.now(UTC)))
