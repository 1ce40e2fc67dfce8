"""What the parts of memory in a database share: its three layers as tables, and their rows as records.

Law: every statement names the owner; who changes an owner's memory has it to himself until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, RowMapping, Select, Table, func, literal, null, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.memory.records import Kind, Record, RecordId
from couchvoice.backend.memory.tables import facts, rules
from couchvoice.backend.tables import arcs


class Layer(NamedTuple):
    table: Table
    text: Column[Any]


LAYERS: Mapping[Kind, Layer] = {
    Kind.FACT: Layer(facts, facts.c.text),
    Kind.SESSION: Layer(arcs, arcs.c.summary),
    Kind.RULE: Layer(rules, rules.c.text),
}


def kept(kind: Kind, owner: str) -> ColumnElement[bool]:
    """What the owner has, without what is deleted."""
    table = LAYERS[kind].table
    return (table.c.owner == owner) & table.c.deleted_at.is_(None)


def rows_of(kind: Kind) -> Select[Any]:
    layer = LAYERS[kind]
    table = layer.table
    has_words = "evidence" in table.c
    return select(
        table.c.id,
        layer.text.label("text"),
        (table.c.evidence if has_words else null()).label("evidence"),
        table.c.thread_id,
        (table.c.mentions if has_words else literal(1)).label("mentions"),
        table.c.created_at,
        table.c.deleted_at,
    )


def record_of(row: RowMapping, kind: Kind, index: int = 0) -> Record:
    return Record(
        id=RecordId(kind=kind, number=row["id"]),
        index=index,
        text=row["text"],
        evidence=row["evidence"],
        thread_id=row["thread_id"],
        mentions=row["mentions"],
        created_at=row["created_at"],
        deleted_at=row["deleted_at"],
    )


async def count(connection: AsyncConnection, kind: Kind, owner: str) -> int:
    counted = select(func.count()).select_from(LAYERS[kind].table).where(kept(kind, owner))
    return int((await connection.execute(counted)).scalar_one())


async def lock_owner(connection: AsyncConnection, owner: str) -> None:
    """SQLite: the transaction has the whole database to itself already."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 0))"), {"owner": owner})
