"""``memory_recall``: finding five of 100,000 facts, by the full-text search of each database, beside a bare LIKE scan.

Once as one owner's memory, and once as that of a thousand owners with a hundred each. Law: both search the same tables
through the same pool, with the same words, and the scan ranks, too: by how many of the words a fact holds.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, text

from couchvoice.backend import SqlStore
from couchvoice.backend.memory.records import Kind, RecordId
from couchvoice.backend.memory.sql_search import index_all
from couchvoice.backend.memory.tables import facts
from couchvoice.backend.memory.words import key_words
from tests.backend.postgres import running_postgres

FACTS = 100_000
QUICK_FACTS = 10_000
OWNERS = 1_000
QUERIES = 200
QUICK_QUERIES = 60
FOUND = 5
SEED = 7

_BATCH = 5_000
_VOCABULARY = 20_000  # words, as unevenly used as those of a language
_STOP_WORDS = 100
_LENGTH = (4, 12)  # words of a fact


def measure(*, quick: bool) -> dict[str, object]:
    return asyncio.run(_measure(quick=quick))


async def _measure(*, quick: bool) -> dict[str, object]:
    count = QUICK_FACTS if quick else FACTS
    figures: dict[str, object] = {"facts": count}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {
            "sqlite": f"sqlite+aiosqlite:///{folder / 'state' / 'backend.db'}",
            "postgresql": stack.enter_context(running_postgres()),
        }
        for name, url in urls.items():
            store = SqlStore(url)
            told = Telling()
            await _fill(store, ["ada"] * count, told)
            one = await _compare(store, ["ada"], told, quick=quick)
            owners = [f"owner {n}" for n in range(OWNERS)]
            await _fill(store, [owners[n % OWNERS] for n in range(count)], told)
            figures[name] = {"one_owner": one, "many_owners": await _compare(store, owners, told, quick=quick)}
            await store.close()
    return figures


class Telling:
    """What people tell, by chance: the first words of the vocabulary often, the last ones hardly ever."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        letters = "bcdfghklmnprstvz"
        self._words = [
            f"{self._random.choice(letters)}{self._random.choice('aeiou')}{number:x}".translate(
                str.maketrans("0123456789", "qwjyxuiope")
            )
            for number in range(_VOCABULARY)
        ]
        self._weights = [1 / (rank + 1) for rank in range(_VOCABULARY)]

    def fact(self) -> str:
        return f"I {' '.join(self._some(self._random.randint(*_LENGTH)))}."

    def question(self) -> str:
        """Two words that are told, one of them rarely. The commonest are asked by nobody: those are "the" and "a"."""
        asked = self._random.choices(self._words[_STOP_WORDS:], self._weights[_STOP_WORDS:])[0]
        return f"{asked} {self._random.choice(self._words)}"

    def owner(self, owners: Sequence[str]) -> str:
        return self._random.choice(owners)

    def _some(self, count: int) -> list[str]:
        return self._random.choices(self._words, self._weights, k=count)


async def _fill(store: SqlStore, owners: Sequence[str], told: Telling) -> None:
    now = datetime.now(UTC)
    for start in range(0, len(owners), _BATCH):
        rows = [
            {"owner": owner, "text": told.fact(), "mentions": 1, "created_at": now, "updated_at": now}
            for owner in owners[start : start + _BATCH]
        ]
        async with store.database.begin() as connection:
            kept = insert(facts).returning(facts.c.id, sort_by_parameter_order=True)
            numbers = (await connection.execute(kept, rows)).scalars().all()
            await index_all(
                connection,
                [
                    (str(row["owner"]), RecordId(kind=Kind.FACT, number=number), str(row["text"]))
                    for row, number in zip(rows, numbers, strict=True)
                ],
            )


async def _compare(store: SqlStore, owners: Sequence[str], told: Telling, *, quick: bool) -> dict[str, object]:
    asked = [(told.owner(owners), told.question()) for _ in range(QUICK_QUERIES if quick else QUERIES)]

    async def ours(owner: str, question: str) -> int:
        return len(await store.memory.search.any_word(owner, question, limit=FOUND))

    async def scan(owner: str, question: str) -> int:
        return len(await _scan(store, owner, question))

    # A database that has just been filled has plans and caches to make.
    for owner, question in asked[:5]:
        await ours(owner, question)
        await scan(owner, question)
    found, theirs = await _time(ours, asked), await _time(scan, asked)
    return {
        "ours": found,
        "like": theirs,
        "ratio": round(found["p50_ms"] / theirs["p50_ms"], 3),
        "ratio_p99": round(found["p99_ms"] / theirs["p99_ms"], 3),
    }


async def _scan(store: SqlStore, owner: str, question: str) -> Sequence[object]:
    words = {f"w{number}": f"%{word}%" for number, word in enumerate(key_words(question))}
    hits = [f"CASE WHEN lower(text) LIKE :{name} THEN 1 ELSE 0 END" for name in words]
    any_hit = " OR ".join(f"lower(text) LIKE :{name}" for name in words)
    statement = text(
        f"SELECT id, text FROM facts WHERE owner = :owner AND deleted_at IS NULL AND ({any_hit}) "
        f"ORDER BY {' + '.join(hits)} DESC, id DESC LIMIT :most"
    )
    async with store.database.begin() as connection:
        return (await connection.execute(statement, {**words, "owner": owner, "most": FOUND})).all()


async def _time(search: Callable[[str, str], Awaitable[int]], asked: Sequence[tuple[str, str]]) -> dict[str, float]:
    took, found = [], 0
    for owner, question in asked:
        begun = time.perf_counter()
        found += await search(owner, question)
        took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    return {
        "p50_ms": round(took[len(took) // 2], 2),
        "p99_ms": round(took[int(len(took) * 0.99)], 2),
        "found": found,
    }
