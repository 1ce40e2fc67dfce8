"""What is learnt of sessions: the fixture of many of them, on both databases, and what the fixture cannot say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from couchvoice.backend import SqlStore
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.memory.digest import Digest, RulesSummarizer
from couchvoice.backend.memory.promotion import MAX_LESSONS, lessons_of
from couchvoice.backend.memory.records import RESTORABLE, Kind, MemoryCounts, Statement
from couchvoice.backend.memory.sql_deletions import HELD
from couchvoice.backend.memory.sql_learning import learn
from tests.backend.ends import any_turn
from tests.backend.memory.kept import NOW, Said, texts

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "sessions.yaml").read_text(encoding="utf-8"))


async def hold(store: SqlStore, owner: str, *said: str, finalizer: Finalizer | None = None, **fields: Any) -> None:
    """A session, and its end."""
    for text in said:
        await store.turns.record(any_turn(text, thread_id=f"of-{owner}", owner=owner, **fields))
    await (finalizer or Finalizer(store)).finalize(f"of-{owner}", owner=owner, session_id=None)


async def learnt(store: SqlStore, owner: str, said: list[str]) -> None:
    """A session, straight into memory: the fixture has many of them."""
    turns = [any_turn(text, thread_id=owner, owner=owner) for text in said]
    digest = await RulesSummarizer().digest(turns)
    lessons = lessons_of(turns, digest.arc, digest.told)
    async with store.database.begin() as connection:
        await learn(connection, owner, owner, lessons=lessons, arc=digest.arc, now=NOW)


@pytest.mark.row("J3")
@pytest.mark.timeout(60)
async def test_the_fixture_of_sessions_teaches_what_it_says(store: SqlStore) -> None:
    wrong: dict[str, Any] = {}
    for case in CASES:
        owner = case["name"]
        for said in case["sessions"]:
            await learnt(store, owner, said)
        kept = (
            await texts(store, owner),
            await texts(store, owner, Kind.RULE),
            (await store.memory.records.counts(owner)).held,
        )
        if kept != (case.get("facts", []), case.get("rules", []), case.get("held", 0)):
            wrong[owner] = kept
    assert wrong == {}


class Told(Said):
    """Whatever it is told that the person told."""

    def __init__(self, summary: str, *statements: Statement) -> None:
        super().__init__(summary)
        self._statements = statements

    async def digest(self, turns: Any) -> Digest:
        return Digest((await super().digest(turns)).arc, [self._statements])


def fact(text: str, evidence: str = "", **fields: Any) -> Statement:
    return Statement(kind=Kind.FACT, text=text, evidence=evidence, **fields)


@pytest.mark.row("J3")
async def test_what_no_transcript_and_no_summary_bears_out_is_held_until_it_is(store: SqlStore) -> None:
    made_up = fact("They keep a zebra in the garden.", "I keep a zebra in the garden")
    await hold(store, "ada", "Hello there.", finalizer=Finalizer(store, summarizer=Told("Of nothing.", made_up)))
    assert await store.memory.records.counts("ada") == MemoryCounts(sessions=1, held=1)
    # A summary of the same hand proves nothing of what nobody said.
    await hold(store, "eve", "Hello.", finalizer=Finalizer(store, summarizer=Told("They keep a zebra.", made_up)))
    assert (await store.memory.records.counts("eve")).facts == 0
    quoted = Finalizer(store, summarizer=Told("Of animals.", made_up))
    await hold(store, "bob", "I keep a zebra in the garden, I do.", finalizer=quoted)
    assert await texts(store, "bob") == [made_up.text]
    # Held first, borne out by the summary of a later session.
    await hold(
        store, "ada", "Hm.", finalizer=Finalizer(store, summarizer=Said("A zebra that they keep in the garden."))
    )
    assert await texts(store, "ada") == [made_up.text]
    assert (await store.memory.records.counts("ada")).held == 0


@pytest.mark.row("J3")
async def test_a_summary_never_speaks_for_a_low_thought_nor_for_a_rule(store: SqlStore) -> None:
    low = fact("I am a failure", "I am a failure", repetition_only=True)
    rule = Statement(kind=Kind.RULE, text="Speak slowly", evidence="speak slowly", repetition_only=True)
    summary = "They said that they are a failure, and asked to speak slowly."
    for said in ("I am a failure, speak slowly.", "Hm."):
        told = Told(summary, low, rule) if "failure" in said else Said(summary)
        await hold(store, "ada", said, finalizer=Finalizer(store, summarizer=told))
    assert await store.memory.records.counts("ada") == MemoryCounts(sessions=2, held=2)


@pytest.mark.row("J3")
async def test_what_is_held_survives_a_restart_and_is_nobody_elses(store: SqlStore, database_url: str) -> None:
    await hold(store, "ada", "Maybe I like jazz.", "Please keep it short.")
    await hold(store, "eve", "Please keep it short.")
    await store.close()
    again = SqlStore(database_url)
    await hold(again, "ada", "Perhaps I like jazz, maybe.", "Please keep it short.")
    assert (await texts(again, "ada"), await texts(again, "ada", Kind.RULE)) == (
        ["Perhaps I like jazz, maybe."], ["Please keep it short."],
    )  # fmt: skip
    assert await again.memory.records.counts("eve") == MemoryCounts(sessions=1, held=1)
    await again.close()


async def test_what_was_deleted_is_not_learnt_again_from_a_talk(store: SqlStore) -> None:
    await hold(store, "ada", "I have a dog called Rex.")
    await store.memory.deletions.delete_at("ada", Kind.FACT, 1, now=NOW)
    await hold(store, "ada", "I have a dog called Rex.", "I have a cat.")
    assert await texts(store, "ada") == ["I have a cat."]


@pytest.mark.row("G10")
async def test_doubles_are_merged_into_the_older_and_can_be_had_back(store: SqlStore) -> None:
    await hold(store, "ada", "I have a dog called Rex.")
    double = (await store.memory.deletions.delete_at("ada", Kind.FACT, 1, now=NOW)).id
    (again,) = [await store.memory.records.keep("ada", fact("I've got a dog called Rex."), thread_id="t", now=NOW)]
    await store.memory.deletions.restore("ada", double, now=NOW)
    assert len(await texts(store, "ada")) == 2
    await hold(store, "ada", "Hello.")
    (left,) = await store.memory.records.listed("ada", Kind.FACT, after=0, limit=9)
    assert (left.id, left.mentions) == (double, 2)
    assert [record.id for record in await store.memory.deletions.deleted("ada", limit=9)] == [again.id]


async def test_a_talk_without_its_transcript_teaches_nothing(store: SqlStore) -> None:
    await hold(store, "ada", "", transcript_kept=False)
    assert await store.memory.records.counts("ada") == MemoryCounts(sessions=1)


async def test_there_is_a_bound_to_what_is_learnt_and_held(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await learnt(store, "ada", [f"I have a fish called number {n}." for n in range(MAX_LESSONS + 5)])
    assert (await store.memory.records.counts("ada")).facts == MAX_LESSONS
    monkeypatch.setattr("couchvoice.backend.memory.sql_learning.MAX_HELD", 30)
    for start in (0, 20, 40):
        await learnt(store, "eve", [f"Maybe I have a fish called number {start + n}." for n in range(MAX_LESSONS)])
    assert (await store.memory.records.counts("eve")).held == 30


async def test_the_sweep_lets_go_for_good_of_what_is_over_its_time(store: SqlStore) -> None:
    await learnt(store, "ada", ["I have a dog.", "Maybe I like jazz."])
    await store.memory.deletions.delete_at("ada", Kind.FACT, 1, now=NOW)
    for age, deleted, held in ((RESTORABLE / 2, 1, 1), (RESTORABLE, 0, 1), (HELD, 0, 0)):
        moment = NOW + age
        await Finalizer(store, now=lambda moment=moment: moment).sweep()
        assert len(await store.memory.deletions.deleted("ada", limit=9)) == deleted
        assert (await store.memory.records.counts("ada")).held == held


@pytest.mark.row("J2")
async def test_a_session_that_is_too_short_has_no_arc_and_is_over_all_the_same(store: SqlStore) -> None:
    finalizer = Finalizer(store, min_turns=2)
    await store.turns.record(any_turn("I have a dog called Rex.", owner="ada"))
    assert await finalizer.finalize("t", owner="ada", session_id="rtc_1") is None
    thread = await store.threads.find("t", owner="ada")
    assert (thread.finalization, thread.open_turns) == ("completed", 0)
    assert await store.memory.records.counts("ada") == MemoryCounts(facts=1)
    assert await finalizer.finalize("t", owner="ada", session_id="rtc_1") is None
    for text in ("I will call my brother.", "Swimming helped."):
        await store.turns.record(any_turn(text, owner="ada"))
    arc = await finalizer.finalize("t", owner="ada", session_id="rtc_2")
    assert arc is not None
    assert (arc.turn_count, arc.open_loops) == (2, ["I will call my brother."])
    assert (await store.memory.records.counts("ada")).sessions == 1
