"""The writing of memory, inside a transaction that somebody else has begun: keep, forget, bring back.

Law: what says the same is there once; what is kept can be found, and what is deleted cannot; the caller has locked the
owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.memory.records import MAX_RULES, MAX_TEXT, Kind, Record, RecordId, Statement
from couchvoice.backend.memory.sql_layers import LAYERS, kept, record_of, rows_of
from couchvoice.backend.memory.sql_search import index, leave_out, similar
from couchvoice.backend.memory.tables import candidates, pending_deletions, recall_switches
from couchvoice.backend.memory.words import say_the_same
from couchvoice.backend.tables import arcs

_LOOKED_AT = 20  # that share a word: one of them says the same, or none does
_DELETED_LOOKED_AT = 200


async def keep(
    connection: AsyncConnection, owner: str, statement: Statement, *, thread_id: str, mentions: int, now: datetime
) -> RecordId:
    """A new record, or the one that says the same, mentioned once more."""
    table = LAYERS[statement.kind].table
    for known in await similar(connection, owner, statement.kind, statement.text, limit=_LOOKED_AT):
        if say_the_same(known.text, statement.text):
            again = update(table).where(table.c.id == known.id.number)
            await connection.execute(again.values(mentions=table.c.mentions + mentions, updated_at=now))
            return known.id
    values = {
        "owner": owner,
        "text": statement.text[:MAX_TEXT],
        "evidence": statement.evidence[:MAX_TEXT],
        "thread_id": thread_id,
        "slot": statement.slot,
        "mentions": mentions,
        "created_at": now,
        "updated_at": now,
    }
    new = (await connection.execute(insert(table).values(**values).returning(table.c.id))).scalar_one()
    record = RecordId(kind=statement.kind, number=new)
    await index(connection, owner, record, statement.text)
    await _make_room(connection, owner, record, statement.slot, now=now)
    return record


async def forget(
    connection: AsyncConnection, owner: str, records: Sequence[RecordId], *, now: datetime, in_favour: int | None = None
) -> list[Record]:
    """Those that were there. They can be brought back; ``in_favour`` of the record that says the same."""
    gone = []
    for record in records:
        table = LAYERS[record.kind].table
        wanted = rows_of(record.kind).where(kept(record.kind, owner), table.c.id == record.number)
        row = (await connection.execute(wanted)).mappings().one_or_none()
        if row is None:
            continue
        changes: dict[str, object] = {"deleted_at": now}
        if in_favour is not None:
            changes["merged_into"] = in_favour
        await connection.execute(update(table).where(table.c.id == record.number).values(**changes))
        gone.append(replace(record_of(row, record.kind), deleted_at=now))
    await leave_out(connection, [record.id for record in gone])
    return gone


async def forgotten(connection: AsyncConnection, owner: str, kind: Kind) -> Sequence[str]:
    """What the owner has deleted, and could have back: nobody shall learn it anew from a talk."""
    table = LAYERS[kind].table
    deleted = (table.c.owner == owner) & table.c.deleted_at.is_not(None) & table.c.merged_into.is_(None)
    newest = select(table.c.text).where(deleted).order_by(table.c.deleted_at.desc()).limit(_DELETED_LOOKED_AT)
    return (await connection.execute(newest)).scalars().all()


async def bring_back(connection: AsyncConnection, owner: str, record: RecordId) -> None:
    """It is deleted now, and this owner's."""
    table = LAYERS[record.kind].table
    back = [name for name in ("deleted_at", "merged_into") if name in table.c]
    own = update(table).where(table.c.id == record.number, table.c.owner == owner)
    await connection.execute(own.values(dict.fromkeys(back)))
    row = (await connection.execute(select(table).where(table.c.id == record.number))).mappings().one()
    await index(connection, owner, record, _words_of(row, record.kind))


async def index_arc(connection: AsyncConnection, owner: str, number: int) -> None:
    """Let a session be found by its summary, its themes, and what was open or resolved."""
    row = (await connection.execute(select(arcs).where(arcs.c.id == number))).mappings().one()
    await index(connection, owner, RecordId(kind=Kind.SESSION, number=number), _words_of(row, Kind.SESSION))


async def erase_thread(connection: AsyncConnection, owner: str, thread_id: str) -> None:
    """For good: what was learnt from a thread. What the owner asked for, the rules, stays; its quotes go."""
    sessions = select(arcs.c.id).where(arcs.c.thread_id == thread_id)
    facts = LAYERS[Kind.FACT].table
    told = select(facts.c.id).where(facts.c.owner == owner, facts.c.thread_id == thread_id)
    for kind, found in ((Kind.SESSION, sessions), (Kind.FACT, told)):
        numbers = (await connection.execute(found)).scalars().all()
        await leave_out(connection, [RecordId(kind=kind, number=number) for number in numbers])
    for table in (facts, candidates, pending_deletions):
        await connection.execute(delete(table).where(table.c.owner == owner, table.c.thread_id == thread_id))
    rules = LAYERS[Kind.RULE].table
    of_thread = (rules.c.owner == owner) & (rules.c.thread_id == thread_id)
    await connection.execute(update(rules).where(of_thread).values(evidence=None, thread_id=None))


async def erase_owner(connection: AsyncConnection, owner: str) -> None:
    """For good, all of it but the sessions, which go with their threads."""
    for kind in (Kind.FACT, Kind.RULE):
        table = LAYERS[kind].table
        numbers = (await connection.execute(select(table.c.id).where(table.c.owner == owner))).scalars().all()
        await leave_out(connection, [RecordId(kind=kind, number=number) for number in numbers])
        await connection.execute(delete(table).where(table.c.owner == owner))
    for table in (candidates, pending_deletions, recall_switches):
        await connection.execute(delete(table).where(table.c.owner == owner))


async def _make_room(
    connection: AsyncConnection, owner: str, record: RecordId, slot: str | None, *, now: datetime
) -> None:
    """Who moved lives there no longer; and there is a bound to how many rules one can keep to."""
    table = LAYERS[record.kind].table
    others = kept(record.kind, owner) & (table.c.id != record.number)
    if slot is not None:
        old = (await connection.execute(select(table.c.id).where(others, table.c.slot == slot))).scalars().all()
        outdated = [RecordId(kind=record.kind, number=number) for number in old]
        await forget(connection, owner, outdated, now=now, in_favour=record.number)
    if record.kind is Kind.RULE:
        oldest = select(table.c.id).where(others).order_by(table.c.updated_at.desc(), table.c.id.desc())
        over = (await connection.execute(oldest.offset(MAX_RULES - 1))).scalars().all()
        await forget(connection, owner, [RecordId(kind=Kind.RULE, number=number) for number in over], now=now)


def _words_of(row: RowMapping, kind: Kind) -> str:
    if kind is not Kind.SESSION:
        return str(row["text"])
    lists = [row["primary_themes"], row["open_loops"], row["resolved_threads"]]
    return " ".join([row["summary"], *(said for found in lists for said in found)])


async def number_of(connection: AsyncConnection, owner: str, record: RecordId) -> int:
    """Its index as displayed."""
    table = LAYERS[record.kind].table
    before = select(func.count()).select_from(table).where(kept(record.kind, owner), table.c.id <= record.number)
    return int((await connection.execute(before)).scalar_one())
