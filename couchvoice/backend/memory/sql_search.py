"""The words of what is remembered, and the finding of them: SQLite's FTS5 with bm25, PostgreSQL's tsvector, ts_rank.

What is deleted stands here no longer. Law: a search is for one owner: the index is asked for that owner's, and what
it finds is looked up among that owner's records again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from couchvoice.backend.database import Database
from couchvoice.backend.memory.records import Kind, Record, RecordId
from couchvoice.backend.memory.sql_layers import LAYERS, kept, record_of, rows_of
from couchvoice.backend.memory.words import key_words, normal

MAX_WORDS = 32  # of a query

# A record's place in the index. The migrations know this order.
_ORDER = (Kind.FACT, Kind.SESSION, Kind.RULE)
_MEMORY_KINDS = frozenset(_ORDER)


class _Dialect(NamedTuple):
    insert: str
    delete: str
    find: str
    joined: tuple[str, str]  # what stands between the words: any of them, every one of them


_SQLITE = _Dialect(
    insert="INSERT INTO memory_search (rowid, owner, body) VALUES (:place, :token, :body)",
    delete="DELETE FROM memory_search WHERE rowid = :place",
    # The owner's word finds nothing by itself: it weighs nothing.
    find="""SELECT rowid FROM memory_search
        WHERE memory_search MATCH 'owner:"' || :token || '" AND body:(' || :words || ')'
        AND rank MATCH 'bm25(0.0, 1.0)' AND rowid % 3 IN (:k0, :k1, :k2) ORDER BY rank, rowid DESC LIMIT :most""",
    joined=(" OR ", " AND "),
)
_POSTGRESQL = _Dialect(
    insert="INSERT INTO memory_search (place, owner, document) VALUES (:place, :owner, to_tsvector('english', :body))",
    delete="DELETE FROM memory_search WHERE place = :place",
    find="""SELECT place FROM memory_search, to_tsquery('english', :words) AS asked
        WHERE owner = :owner AND document @@ asked AND place % 3 IN (:k0, :k1, :k2)
        ORDER BY ts_rank(document, asked, 1) DESC, place DESC LIMIT :most""",
    joined=(" | ", " & "),
)


class SqlSearch:
    """Implements Search."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def any_word(self, owner: str, query: str, *, limit: int) -> list[Record]:
        return await self._found(owner, query, joint=0, limit=limit)

    async def every_word(self, owner: str, query: str, *, limit: int) -> list[Record]:
        return await self._found(owner, query, joint=1, limit=limit)

    async def _found(self, owner: str, query: str, *, joint: int, limit: int) -> list[Record]:
        if not self._database.begun():
            return []
        async with self._database.begin() as connection:
            return await _find(connection, owner, query, kinds=_MEMORY_KINDS, joint=joint, limit=limit)


async def similar(connection: AsyncConnection, owner: str, kind: Kind, query: str, *, limit: int) -> list[Record]:
    """Records of one kind that have a word of it, the best first."""
    return await _find(connection, owner, query, kinds=frozenset({kind}), joint=0, limit=limit)


async def index(connection: AsyncConnection, owner: str, record: RecordId, body: str) -> None:
    """Let it be found by the words of ``body``."""
    await index_all(connection, [(owner, record, body)])


async def index_all(connection: AsyncConnection, bodies: Sequence[tuple[str, RecordId, str]]) -> None:
    words = [
        {"place": _place(record), "owner": owner, "token": _token(owner), "body": normal(body)}
        for owner, record, body in bodies
    ]
    await connection.execute(text(_dialect(connection).insert), words)


async def leave_out(connection: AsyncConnection, records: Sequence[RecordId]) -> None:
    """Let these be found no longer."""
    if records:
        gone = [{"place": _place(record)} for record in records]
        await connection.execute(text(_dialect(connection).delete), gone)


async def overwrite(connection: AsyncConnection) -> None:
    """FTS5 before SQLite 3.42 only marks what it left out: write its index anew, so that no word of it stays."""
    if connection.dialect.name == "sqlite":
        await connection.execute(text("INSERT INTO memory_search (memory_search) VALUES ('optimize')"))


async def _find(
    connection: AsyncConnection, owner: str, query: str, *, kinds: frozenset[Kind], joint: int, limit: int
) -> list[Record]:
    words = key_words(query)[:MAX_WORDS]
    if not words:
        return []
    dialect = _dialect(connection)
    numbers = [_ORDER.index(kind) if kind in kinds else -1 for kind in _ORDER]
    asked = {
        "owner": owner,
        "token": _token(owner),
        # Only letters and digits are left of them, which are no operators of either.
        "words": dialect.joined[joint].join(f'"{word}"' if dialect is _SQLITE else f"'{word}'" for word in words),
        "k0": numbers[0],
        "k1": numbers[1],
        "k2": numbers[2],
        "most": limit,
    }
    places = (await connection.execute(text(dialect.find), asked)).scalars().all()
    return await _records_at(connection, owner, places)


async def _records_at(connection: AsyncConnection, owner: str, places: Sequence[int]) -> list[Record]:
    """In the order of the places."""
    found: dict[RecordId, Record] = {}
    for number, kind in enumerate(_ORDER):
        ids = [place // len(_ORDER) for place in places if place % len(_ORDER) == number]
        if ids:
            wanted = rows_of(kind).where(kept(kind, owner), LAYERS[kind].table.c.id.in_(ids))
            for row in (await connection.execute(wanted)).mappings():
                record = record_of(row, kind)
                found[record.id] = record
    return [found[record] for record in map(_record_at, places) if record in found]


def _dialect(connection: AsyncConnection) -> _Dialect:
    return _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL


def _place(record: RecordId) -> int:
    return record.number * len(_ORDER) + _ORDER.index(record.kind)


def _record_at(place: int) -> RecordId:
    return RecordId(kind=_ORDER[place % len(_ORDER)], number=place // len(_ORDER))


def _token(owner: str) -> str:
    """A word that stands for the owner; it takes part in the search as the others do."""
    return f"o{hashlib.sha256(owner.encode()).hexdigest()[:32]}"
