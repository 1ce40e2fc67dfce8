"""What a session taught, into the database: kept where enough speaks for it, else held for the next one to repeat.

Law: it happens in the transaction that keeps the session's arc, so that it is learnt once, and together; what the owner
has deleted is not learnt again while it could be had back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.memory.promotion import summary_supports
from couchvoice.backend.memory.records import MAX_HELD, MAX_TEXT, Kind, Lesson, RecordId, Statement
from couchvoice.backend.memory.sql_layers import LAYERS, kept, lock_owner
from couchvoice.backend.memory.sql_writing import forget, forgotten, keep
from couchvoice.backend.memory.tables import candidates
from couchvoice.backend.memory.words import Meaning, meaning_of
from couchvoice.backend.store import Arc

_LOOKED_AT = 100  # of the newest records, for those that say the same


@dataclass(frozen=True, slots=True, repr=False)
class _Known:
    """What lessons are compared with, of one kind. ``held`` by the id of the candidate, with its mentions."""

    forgotten: Sequence[Meaning]
    kept: Sequence[Meaning]
    held: dict[int, tuple[Meaning, int]]


async def learn(
    connection: AsyncConnection,
    owner: str,
    thread_id: str,
    *,
    lessons: Sequence[Lesson],
    arc: Arc | None,
    now: datetime,
) -> None:
    await lock_owner(connection, owner)
    if arc is not None:
        await _promote_by_summary(connection, owner, arc, now=now)
    for kind in (Kind.FACT, Kind.RULE):
        of_kind = [lesson for lesson in lessons if lesson.statement.kind is kind]
        known = await _known(connection, owner, kind) if of_kind else None
        for lesson in of_kind:
            assert known is not None  # there are lessons
            await _take(connection, owner, thread_id, lesson, known, now=now)
        await merge(connection, owner, kind, now=now)
    await _let_go(connection, owner)


async def merge(connection: AsyncConnection, owner: str, kind: Kind, *, now: datetime) -> None:
    """Of records that say the same the older stays, and counts for both; the other can be had back."""
    table = LAYERS[kind].table
    newest = select(table.c.id, table.c.text, table.c.mentions).where(kept(kind, owner)).order_by(table.c.id.desc())
    rows = (await connection.execute(newest.limit(_LOOKED_AT))).mappings().all()
    meanings = [(row, meaning_of(row["text"])) for row in reversed(rows)]
    gone: set[int] = set()
    for (older, one), (newer, other) in combinations(meanings, 2):
        if gone.isdisjoint({older["id"], newer["id"]}) and one.is_the_same_as(other):
            gone.add(newer["id"])
            again = table.c.mentions + newer["mentions"]
            await connection.execute(update(table).where(table.c.id == older["id"]).values(mentions=again))
            double = RecordId(kind=kind, number=newer["id"])
            await forget(connection, owner, [double], now=now, in_favour=older["id"])


async def _known(connection: AsyncConnection, owner: str, kind: Kind) -> _Known:
    table = LAYERS[kind].table
    newest = select(table.c.text).where(kept(kind, owner)).order_by(table.c.id.desc()).limit(_LOOKED_AT)
    return _Known(
        forgotten=[meaning_of(text) for text in await forgotten(connection, owner, kind)],
        kept=[meaning_of(text) for text in (await connection.execute(newest)).scalars()],
        held={
            row["id"]: (meaning_of(row["text"]), row["mentions"])
            for row in await _candidates(connection, owner)
            if row["kind"] == kind
        },
    )


async def _take(
    connection: AsyncConnection, owner: str, thread_id: str, lesson: Lesson, known: _Known, *, now: datetime
) -> None:
    statement, meaning = lesson.statement, meaning_of(lesson.statement.text)
    if any(map(meaning.is_the_same_as, known.forgotten)):
        return
    same = [number for number, (one, _) in known.held.items() if meaning.is_the_same_as(one)]
    mentions = lesson.mentions + sum(known.held[number][1] for number in same)
    is_kept = any(map(meaning.is_the_same_as, known.kept))
    if lesson.supported or mentions >= statement.repeated or is_kept:
        await keep(connection, owner, statement, thread_id=thread_id, mentions=lesson.mentions, now=now)
        await connection.execute(delete(candidates).where(candidates.c.id.in_(same)))
    elif same:
        again = update(candidates).where(candidates.c.id == same[0])
        await connection.execute(again.values(mentions=mentions, seen_at=now))
    else:
        await _hold(connection, owner, thread_id, lesson, now=now)


async def _hold(connection: AsyncConnection, owner: str, thread_id: str, lesson: Lesson, *, now: datetime) -> None:
    statement = lesson.statement
    await connection.execute(
        insert(candidates).values(
            owner=owner,
            kind=statement.kind.value,
            text=statement.text[:MAX_TEXT],
            evidence=statement.evidence[:MAX_TEXT],
            thread_id=thread_id,
            slot=statement.slot,
            repeated=statement.repeated,
            repetition_only=statement.repetition_only,
            mentions=lesson.mentions,
            seen_at=now,
        )
    )


async def _promote_by_summary(connection: AsyncConnection, owner: str, arc: Arc, *, now: datetime) -> None:
    """What was held before, and this session's summary bears out."""
    for row in await _candidates(connection, owner):
        statement = _statement_of(row)
        if summary_supports(statement, arc):
            await keep(connection, owner, statement, thread_id=row["thread_id"], mentions=row["mentions"], now=now)
            await connection.execute(delete(candidates).where(candidates.c.id == row["id"]))


async def _candidates(connection: AsyncConnection, owner: str) -> Sequence[RowMapping]:
    mine = select(candidates).where(candidates.c.owner == owner).order_by(candidates.c.id)
    return (await connection.execute(mine)).mappings().all()


async def _let_go(connection: AsyncConnection, owner: str) -> None:
    """There is a bound to what is held: what was mentioned last stays."""
    last = select(candidates.c.id).where(candidates.c.owner == owner).order_by(candidates.c.seen_at.desc())
    over = (await connection.execute(last.order_by(candidates.c.id.desc()).offset(MAX_HELD))).scalars().all()
    if over:
        await connection.execute(delete(candidates).where(candidates.c.id.in_(over)))


def _statement_of(row: RowMapping) -> Statement:
    return Statement(
        kind=Kind(row["kind"]),
        text=row["text"],
        evidence=row["evidence"],
        slot=row["slot"],
        repeated=row["repeated"],
        repetition_only=row["repetition_only"],
    )
