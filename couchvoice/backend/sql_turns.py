"""The turns in a database."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.crisis.log import crisis_of
from couchvoice.backend.database import Database
from couchvoice.backend.refusals import Refused
from couchvoice.backend.sql_crisis_log import add_entry
from couchvoice.backend.sql_rows import TURN_COLUMNS, kept_turn_of, lock_thread, not_found, turns_of
from couchvoice.backend.store import Counts, Finalization, KeptTurn, Turn
from couchvoice.backend.tables import arcs, threads, turns


class SqlTurns:
    """Implements Turns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, turn: Turn) -> int:
        try:
            return await self._record(turn)
        except IntegrityError:
            # Someone else began the thread at the same moment; now its row is there to be locked.
            return await self._record(turn)

    async def history(self, thread_id: str, *, owner: str, after: int, limit: int) -> list[KeptTurn]:
        if not self._database.begun():
            raise not_found()
        async with self._database.read() as connection:
            kept = select(threads.c.id).where(threads.c.id == thread_id, threads.c.owner == owner)
            if (await connection.execute(kept)).first() is None:
                raise not_found()
            later = turns_of(thread_id).where(turns.c.number > after).order_by(turns.c.number).limit(limit)
            return [kept_turn_of(row) for row in (await connection.execute(later)).mappings()]

    async def recent(self, thread_id: str, *, owner: str, limit: int) -> list[KeptTurn]:
        if not self._database.begun():
            return []
        async with self._database.read() as connection:
            newest = turns_of(thread_id).where(threads.c.owner == owner).order_by(turns.c.number.desc()).limit(limit)
            rows = (await connection.execute(newest)).mappings().all()
        return [kept_turn_of(row) for row in reversed(rows)]

    async def counts(self, owner: str) -> Counts:
        if not self._database.begun():
            return Counts(0, 0)
        async with self._database.read() as connection:
            ended = select(func.count()).select_from(arcs).where(arcs.c.owner == owner, arcs.c.deleted_at.is_(None))
            said = select(func.coalesce(func.sum(threads.c.turn_count), 0)).where(threads.c.owner == owner)
            return Counts((await connection.execute(ended)).scalar_one(), (await connection.execute(said)).scalar_one())

    async def _record(self, turn: Turn) -> int:
        now = datetime.now(UTC)
        async with self._database.begin() as connection:
            thread = await lock_thread(connection, turn.thread_id, owner=turn.owner)
            before = await _stored(connection, turn) if thread is not None else None
            if before is not None:
                if before["fingerprint"] != turn.fingerprint:
                    raise Refused(
                        HTTPStatus.CONFLICT, "turn_conflict", "this client_turn_id was recorded with another body"
                    )
                return int(before["message_count"])
            messages = sum(1 for text in (turn.user_text, turn.assistant_text) if text)
            changes: dict[str, Any] = {
                "turn_count": 1 + (thread["turn_count"] if thread else 0),
                "message_count": messages + (thread["message_count"] if thread else 0),
                "active_at": now,
                "served_by": self._database.process,
            }
            if thread is None:
                new = insert(threads).values(id=turn.thread_id, owner=turn.owner, guest=turn.guest, created_at=now)
                await connection.execute(new.values(**changes))
            else:
                if thread["finalization"] != Finalization.IN_PROGRESS:
                    changes["finalization"] = Finalization.IDLE
                await connection.execute(update(threads).where(threads.c.id == turn.thread_id).values(**changes))
            await connection.execute(
                insert(turns).values(
                    **{column.name: getattr(turn, column.name) for column in TURN_COLUMNS},
                    number=changes["turn_count"],
                    message_count=changes["message_count"],
                    created_at=now,
                )
            )
            entry = crisis_of(turn.tool_calls, thread_id=turn.thread_id, session_id=turn.session_id, now=now)
            if entry is not None:
                await add_entry(connection, entry, number=changes["turn_count"])
            return int(changes["message_count"])


async def _stored(connection: AsyncConnection, turn: Turn) -> RowMapping | None:
    if turn.client_turn_id is None:
        return None
    found = await connection.execute(
        select(turns.c.fingerprint, turns.c.message_count).where(
            turns.c.thread_id == turn.thread_id, turns.c.client_turn_id == turn.client_turn_id
        )
    )
    return found.mappings().first()
