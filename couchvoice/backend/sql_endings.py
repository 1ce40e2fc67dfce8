"""How threads are finalized, in a database: claimed by one of all processes, completed or failed by the same.

Law: a claim is a lease. Who holds it may vanish (then it runs out, and another takes it) and may be late (then its arc
is not kept); the turns of a thread belong to one arc each, whoever ends it how often.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, Update, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.database import Database
from couchvoice.backend.memory.records import Lesson
from couchvoice.backend.memory.sql_learning import learn
from couchvoice.backend.memory.sql_writing import index_arc
from couchvoice.backend.sql_rows import ARC_COLUMNS, arc_of, lock_thread, turn_of, turns_of
from couchvoice.backend.store import Arc, Claim, Finalization, FinalizationInProgress
from couchvoice.backend.tables import arcs, threads, turns

CLAIM_LEASE = timedelta(seconds=60)  # longer than a summary takes

_TOKEN_BYTES = 16
_OPEN = threads.c.turn_count > threads.c.closed_turns


class SqlEndings:
    """Implements Endings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, thread_id: str, *, owner: str | None, session_id: str | None, now: datetime, idle_since: datetime | None
    ) -> Claim | Arc | None:
        if not self._database.begun():
            return None
        async with self._database.begin() as connection:
            thread = await lock_thread(connection, thread_id, owner=owner)
            if thread is None:
                return None
            if thread["finalization"] == Finalization.IN_PROGRESS and thread["claimed_until"] > now:
                raise FinalizationInProgress
            if idle_since is not None and thread["active_at"] > idle_since:
                return None
            own = await _arc_of_session(connection, thread_id, session_id)
            if own is not None:
                return own
            open_turns = turns_of(thread_id).where(turns.c.number > thread["closed_turns"]).order_by(turns.c.number)
            rows = (await connection.execute(open_turns)).mappings().all()
            if not rows:
                # A silence that another process has dealt with meanwhile: its arc is not this sweep's doing.
                return None if idle_since is not None else await _last_arc(connection, thread_id, session_id)
            token = secrets.token_hex(_TOKEN_BYTES)
            await connection.execute(
                update(threads)
                .where(threads.c.id == thread_id)
                .values(
                    finalization=Finalization.IN_PROGRESS, claim=token, claimed_until=now + CLAIM_LEASE, failure=None
                )
            )
            return Claim(
                thread_id=thread_id,
                token=token,
                session_id=session_id,
                turns=[turn_of(row) for row in rows],
                last_number=rows[-1]["number"],
            )

    async def complete(self, claim: Claim, arc: Arc | None, *, lessons: Sequence[Lesson] = (), now: datetime) -> None:
        async with self._database.begin() as connection:
            thread = await _held(connection, claim)
            owner = thread["owner"]
            if arc is not None:
                await _keep_arc(connection, claim, arc, owner, now=now)
            await learn(connection, owner, claim.thread_id, lessons=lessons, arc=arc, now=now)
            # A turn may have come meanwhile: it belongs to the next arc.
            whole = thread["turn_count"] == claim.last_number
            await connection.execute(
                _release(claim).values(
                    finalization=Finalization.COMPLETED if whole else Finalization.IDLE,
                    closed_turns=claim.last_number,
                    finalized_at=now,
                )
            )

    async def fail(self, claim: Claim, failure: str) -> None:
        async with self._database.begin() as connection:
            await _held(connection, claim)
            await connection.execute(_release(claim).values(finalization=Finalization.FAILED, failure=failure))

    async def due(self, *, idle_since: datetime, now: datetime, limit: int) -> list[str]:
        quiet = (threads.c.finalization == Finalization.IDLE) & _OPEN & (threads.c.active_at <= idle_since)
        abandoned = (threads.c.finalization == Finalization.IN_PROGRESS) & (threads.c.claimed_until <= now)
        return await self._names(select(threads.c.id).where(or_(quiet, abandoned)), limit)

    async def served_here(self, *, limit: int) -> list[str]:
        here = (threads.c.finalization == Finalization.IDLE) & _OPEN & (threads.c.served_by == self._database.process)
        return await self._names(select(threads.c.id).where(here), limit)

    async def _names(self, wanted: Select[Any], limit: int) -> list[str]:
        if not self._database.begun():
            return []
        async with self._database.read() as connection:
            found = await connection.execute(wanted.order_by(threads.c.active_at).limit(limit))
            return [name for (name,) in found]


async def _keep_arc(connection: AsyncConnection, claim: Claim, arc: Arc, owner: str, *, now: datetime) -> None:
    kept = await connection.execute(
        insert(arcs)
        .values(
            **{column.name: getattr(arc, column.name) for column in ARC_COLUMNS},
            thread_id=claim.thread_id,
            owner=owner,
            session_id=claim.session_id,
            last_turn=claim.last_number,
            created_at=now,
        )
        .returning(arcs.c.id)
    )
    await index_arc(connection, owner, kept.scalar_one())


async def _held(connection: AsyncConnection, claim: Claim) -> RowMapping:
    thread = await lock_thread(connection, claim.thread_id, owner=None)
    if thread is None or thread["claim"] != claim.token:
        raise FinalizationInProgress  # the lease ran out, and somebody else goes on; or the thread was deleted
    return thread


def _release(claim: Claim) -> Update:
    return update(threads).where(threads.c.id == claim.thread_id).values(claim=None, claimed_until=None)


async def _arc_of_session(connection: AsyncConnection, thread_id: str, session_id: str | None) -> Arc | None:
    if session_id is None:
        return None
    own = select(*ARC_COLUMNS).where(
        arcs.c.thread_id == thread_id, arcs.c.session_id == session_id, arcs.c.deleted_at.is_(None)
    )
    row = (await connection.execute(own)).mappings().first()
    return arc_of(row) if row is not None else None


async def _last_arc(connection: AsyncConnection, thread_id: str, session_id: str | None) -> Arc | None:
    """Nothing is open: who names no session means the one that ended last, and so does a session that said the last.

    Another named session was too short.
    """
    newest = (
        select(*ARC_COLUMNS, turns.c.session_id.label("said_by"))
        .join(turns, (turns.c.thread_id == arcs.c.thread_id) & (turns.c.number == arcs.c.last_turn))
        .where(arcs.c.thread_id == thread_id, arcs.c.deleted_at.is_(None))
        .order_by(arcs.c.last_turn.desc())
        .limit(1)
    )
    row = (await connection.execute(newest)).mappings().first()
    if row is None or session_id not in (None, row["said_by"]):
        return None
    return arc_of(row)
