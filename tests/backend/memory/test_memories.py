"""Memory in a database, of both kinds: what is kept once, shown in order, deleted, had back, and gone for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from couchvoice.backend import SqlStore, migrations
from couchvoice.backend.memory.records import MAX_RULES, PENDING_LIFETIME, RESTORABLE, Kind, MemoryCounts, RecordId
from couchvoice.backend.refusals import Refused
from tests.backend.ends import any_turn
from tests.backend.memory.kept import NOW, end_session, keep, texts


@pytest.mark.row("G8")
async def test_three_layers_are_kept_for_each_owner_apart(store: SqlStore) -> None:
    await keep(store, "ada", "I have a dog.", "I live in Galway.")
    await keep(store, "ada", "Keep it short.", kind=Kind.RULE)
    await end_session(store, "ada", "A talk about the sea.")
    await keep(store, "eve", "I have a cat.")
    records = store.memory.records
    assert await records.counts("ada") == MemoryCounts(facts=2, sessions=1, rules=1)
    assert await records.counts("eve") == MemoryCounts(facts=1)
    assert await records.counts("t") == MemoryCounts()
    assert await texts(store, "eve") == ["I have a cat."]
    assert await texts(store, "ada", Kind.SESSION) == ["A talk about the sea."]
    (fact,) = await records.listed("ada", Kind.FACT, after=1, limit=5)
    assert (fact.index, fact.text, fact.evidence, fact.mentions) == (2, "I live in Galway.", "I live in Galway.", 1)
    assert fact.created_at == NOW
    assert [record.index for record in await records.newest("ada", Kind.FACT, limit=1)] == [2]
    for owner, index in (("eve", 2), ("ada", 0), ("ada", 3), ("ada", -1), ("nobody", 1)):
        with pytest.raises(Refused, match="no such memory"):
            await records.at(owner, Kind.FACT, index)


@pytest.mark.row("G10")
async def test_what_says_the_same_is_kept_once_and_counted(store: SqlStore) -> None:
    await keep(store, "ada", "I have a dog called Rex.", "i've got a dog called Rex", "I have a dog called Max.")
    found = await store.memory.records.listed("ada", Kind.FACT, after=0, limit=5)
    assert [(record.text, record.mentions) for record in found] == [
        ("I have a dog called Rex.", 2), ("I have a dog called Max.", 1),
    ]  # fmt: skip
    await asyncio.gather(*(keep(store, "eve", "Keep it short.", kind=Kind.RULE) for _ in range(8)))
    assert await texts(store, "eve", Kind.RULE) == ["Keep it short."]


async def test_rules_have_a_bound_and_the_oldest_makes_room(store: SqlStore) -> None:
    names = [f"Call my aunt number {number}." for number in range(MAX_RULES + 2)]
    await keep(store, "ada", *names, kind=Kind.RULE)
    assert await texts(store, "ada", Kind.RULE) == names[2:]
    assert [record.text for record in await store.memory.deletions.deleted("ada", limit=9)] == names[1::-1]


@pytest.mark.row("G10", "G9")
async def test_what_is_deleted_can_be_had_back_for_thirty_days_by_its_owner(store: SqlStore) -> None:
    await keep(store, "ada", "One dog.", "Two cats.", "Three birds.")
    deletions = store.memory.deletions
    gone = await deletions.delete_at("ada", Kind.FACT, 2, now=NOW)
    assert (gone.text, gone.restorable_until) == ("Two cats.", NOW + RESTORABLE)
    assert await texts(store, "ada") == ["One dog.", "Three birds."]
    assert [record.id for record in await deletions.deleted("ada", limit=5)] == [gone.id]
    assert await deletions.deleted("eve", limit=5) == []
    for owner, record in (("eve", gone.id), ("ada", RecordId(kind=Kind.RULE, number=gone.id.number))):
        with pytest.raises(Refused, match="no such memory"):
            await deletions.restore(owner, record, now=NOW)
    last_moment = NOW + RESTORABLE - timedelta(seconds=1)
    await deletions.purge(now=last_moment)
    assert (await deletions.restore("ada", gone.id, now=last_moment)).index == 2
    assert await texts(store, "ada") == ["One dog.", "Two cats.", "Three birds."]
    await deletions.delete_at("ada", Kind.FACT, 2, now=NOW)
    with pytest.raises(Refused, match="no such memory"):
        await deletions.restore("ada", gone.id, now=NOW + RESTORABLE)
    await deletions.purge(now=NOW + RESTORABLE)
    assert await deletions.deleted("ada", limit=5) == []
    assert await texts(store, "ada") == ["One dog.", "Three birds."]


@pytest.mark.row("G6")
async def test_exactly_what_was_prepared_is_deleted_once_and_in_time(store: SqlStore, database_url: str) -> None:
    await keep(store, "ada", "One dog.", "Two cats.", "Three birds.")
    pending, other = store.memory.pending, SqlStore(database_url)
    cats = await store.memory.records.at("ada", Kind.FACT, 2)
    assert not (await pending.confirm("ada", "t", now=NOW)).deleted
    await pending.prepare("ada", "t", [cats], now=NOW)
    for owner, thread in (("eve", "t"), ("ada", "other")):
        assert (await pending.confirm(owner, thread, now=NOW)).deleted == ()
        assert not await pending.cancel(owner, thread)
    assert await pending.cancel("ada", "t")
    assert not (await pending.confirm("ada", "t", now=NOW)).deleted
    await pending.prepare("ada", "t", [cats], now=NOW)
    assert (await pending.confirm("ada", "t", now=NOW + PENDING_LIFETIME)).expired
    assert not (await pending.confirm("ada", "t", now=NOW)).deleted
    await pending.prepare("ada", "t", [cats], now=NOW)
    await store.memory.deletions.delete_at("ada", Kind.FACT, 1, now=NOW)  # every number is another one's now
    confirmed = await asyncio.gather(*(one.memory.pending.confirm("ada", "t", now=NOW) for one in (store, other)))
    assert [record.text for one in confirmed for record in one.deleted] == ["Two cats."]
    assert await texts(store, "ada") == ["Three birds."]
    await other.close()


@pytest.mark.row("G5")
async def test_recall_is_off_until_its_owner_switches_it_on(store: SqlStore) -> None:
    recall = store.memory.recall
    assert not await recall.is_on("ada")
    for on in (True, True, False, True):
        await recall.turn("ada", on=on, now=NOW)
        assert await recall.is_on("ada") is on
    assert not await recall.is_on("eve")


async def test_a_thread_takes_what_was_learnt_in_it_and_an_owner_everything(store: SqlStore, tmp_path: Path) -> None:
    for thread in ("t1", "t2"):
        await keep(store, "ada", f"The zebra of {thread} hums.", thread_id=thread)
        await end_session(store, "ada", f"A quagga in {thread}.", thread_id=thread)
    await keep(store, "ada", "Keep it brief.", kind=Kind.RULE, thread_id="t1")
    await store.memory.recall.turn("ada", on=True, now=NOW)
    await store.memory.pending.prepare(
        "ada", "t2", await store.memory.records.listed("ada", Kind.FACT, after=0, limit=9), now=NOW
    )
    await keep(store, "eve", "The zebra of Eve hums.")
    await store.threads.delete("t1", owner="ada")
    assert await store.memory.records.counts("ada") == MemoryCounts(facts=1, sessions=1, rules=1)
    (rule,) = await store.memory.records.listed("ada", Kind.RULE, after=0, limit=1)
    assert (rule.text, rule.evidence, rule.thread_id) == ("Keep it brief.", None, None)
    assert [r.thread_id for r in await store.memory.search.any_word("ada", "zebra quagga", limit=9)] == ["t2", "t2"]
    await store.threads.erase("ada")
    assert await store.memory.records.counts("ada") == MemoryCounts()
    assert not await store.memory.recall.is_on("ada")
    assert not (await store.memory.pending.confirm("ada", "t2", now=NOW)).deleted
    assert await store.memory.search.any_word("ada", "zebra quagga brief", limit=9) == []
    assert await texts(store, "eve") == ["The zebra of Eve hums."]


async def test_nothing_of_what_is_gone_for_good_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "backend.db"
    store = SqlStore(f"sqlite+aiosqlite:///{path}")
    await keep(store, "ada", *(f"The wallaby number {n} hums." for n in range(50)), "The quagga hums.", thread_id="t1")
    await keep(store, "eve", "The zebra of Eve hums.")
    await store.turns.record(any_turn("wallaby", thread_id="t1", owner="ada"))
    await store.memory.deletions.delete_at("ada", Kind.FACT, 51, now=NOW)
    assert b"quagga" in path.read_bytes()  # it can be had back
    await store.memory.deletions.purge(now=NOW + RESTORABLE)
    assert b"quagga" not in path.read_bytes()
    assert b"wallab" in path.read_bytes()
    await store.threads.erase("ada")
    assert b"wallab" not in path.read_bytes()
    assert b"zebra" in path.read_bytes()
    await store.close()


async def test_sessions_that_an_older_version_kept_are_found(store: SqlStore, database_url: str) -> None:
    await end_session(store, "ada", "A talk about the quagga\u2019s café.")
    await store.close()
    await asyncio.to_thread(migrations.downgrade, make_url(database_url), "0002")
    assert [r.text for r in await store.memory.search.any_word("ada", "quaggas cafe", limit=9)] == [
        "A talk about the quagga\u2019s café."
    ]
    assert (await store.turns.counts("ada")).sessions == 1
