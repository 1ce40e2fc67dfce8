"""Finding what is remembered: the right record first, on both databases, and nobody else's ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from couchvoice.backend import SqlStore
from couchvoice.backend.memory.records import Kind
from tests.backend.memory.kept import NOW, end_session, keep

RANKING: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "ranking.yaml").read_text(encoding="utf-8"))


@pytest.fixture
async def told(store: SqlStore) -> SqlStore:
    """Ada's memory; Eve has one of the same words, and more of them."""
    for owner in ("ada", "eve"):
        await keep(store, owner, *RANKING["facts"])
        await keep(store, owner, *RANKING["rules"], kind=Kind.RULE)
    for number, summary in enumerate(RANKING["sessions"]):
        await end_session(store, "ada", summary, thread_id=f"t{number}")
    await keep(store, "eve", *(f"dog sister piano peanuts {word}" for word in "one two three four five".split()))  # noqa: SIM905
    return store


@pytest.mark.row("G3")
async def test_the_fixture_of_questions_finds_the_right_record_first(told: SqlStore) -> None:
    wrong = {}
    for question, expected in RANKING["questions"]:
        found = [record.text for record in await told.memory.search.any_word("ada", question, limit=5)]
        if expected not in found[:1]:
            wrong[question] = found
    assert wrong == {}


@pytest.mark.row("G3")
@pytest.mark.parametrize("question", RANKING["nothing"])
async def test_what_nobody_told_is_not_found(told: SqlStore, question: str) -> None:
    assert await told.memory.search.any_word("ada", question, limit=5) == []


async def test_every_word_finds_less_than_any_word_and_the_limit_holds(told: SqlStore) -> None:
    every = await told.memory.search.every_word("ada", "my exam in anatomy", limit=5)
    assert [record.text for record in every] == ["My exam in anatomy is on the third of May."]
    assert len(await told.memory.search.any_word("ada", "my exam in anatomy", limit=5)) == 2
    assert len(await told.memory.search.any_word("eve", "dog sister piano peanuts", limit=3)) == 3


@pytest.mark.row("G8")
@pytest.mark.parametrize("owner", ["bob", "", "ada ", "ada' OR 1=1 --", 'x" OR body:"dog', "t0"])
async def test_another_owner_finds_nothing(told: SqlStore, owner: str) -> None:
    for question, _ in RANKING["questions"]:
        assert await told.memory.search.any_word(owner, question, limit=10) == []


@pytest.mark.parametrize(
    "question", ['"', "'", "dog* NEAR(", "owner:x OR dog", "dog & ! | (", "a:b <-> c", "\x00", "🐕", "-"]
)
async def test_a_question_is_words_and_never_an_operator(told: SqlStore, question: str) -> None:
    for record in await told.memory.search.any_word("ada", question, limit=10):
        assert "dog" in record.text


async def test_what_is_deleted_is_found_no_longer_and_what_comes_back_is(told: SqlStore) -> None:

    gone = await told.memory.deletions.delete_at("ada", Kind.FACT, 1, now=NOW)
    assert await told.memory.search.any_word("ada", "Rex", limit=5) == []
    await told.memory.deletions.restore("ada", gone.id, now=NOW)
    assert [r.id for r in await told.memory.search.any_word("ada", "Rex", limit=5)] == [gone.id]
    await told.threads.delete("t0", owner="ada")
    assert await told.memory.search.any_word("ada", "boss", limit=5) == []
