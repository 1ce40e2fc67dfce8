"""The store, on SQLite and on PostgreSQL: order, idempotency, owners, deletion, and who may finalize."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from couchvoice.backend import SqlStore, database
from couchvoice.backend.arc import episodic_arc
from couchvoice.backend.briefing import Briefing
from couchvoice.backend.refusals import Refused
from couchvoice.backend.sql_endings import CLAIM_LEASE
from couchvoice.backend.store import Arc, Claim, Counts, FinalizationInProgress, Gone
from couchvoice.private import Private
from tests.backend.ends import any_turn

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MANY = 200


@contextmanager
def refused(status: int) -> Iterator[None]:
    with pytest.raises(Refused) as info:
        yield
    assert info.value.status == status


async def claimed(
    store: SqlStore, thread_id: str = "t", *, now: datetime = NOW, session_id: str | None = None
) -> Claim:
    claim = await store.endings.claim(thread_id, owner=None, session_id=session_id, now=now, idle_since=None)
    assert isinstance(claim, Claim)
    return claim


@pytest.mark.row("I8")
async def test_of_200_parallel_posts_by_two_writers_on_one_thread_none_is_lost(database_url: str) -> None:
    stores = [SqlStore(database_url), SqlStore(database_url)]
    turns = [any_turn(client_turn_id=f"c{n}", user_text="x") for n in range(MANY)]
    counts = await asyncio.gather(*(stores[n % 2].turns.record(turn) for n, turn in enumerate(turns)))
    assert sorted(counts) == list(range(1, MANY + 1))
    kept = await stores[0].turns.history("t", owner="t", after=0, limit=2 * MANY)
    assert [turn.number for turn in kept] == list(range(1, MANY + 1))
    assert {turn.turn.client_turn_id for turn in kept} == {turn.client_turn_id for turn in turns}
    assert (await stores[1].threads.find("t", owner="t")).message_count == MANY
    for each in stores:
        await each.close()


async def test_a_turn_comes_back_as_it_was_kept(store: SqlStore) -> None:
    turn = any_turn(
        owner="ada",
        session_id="rtc_1",
        client_turn_id="c1",
        fingerprint="f",
        user_text="Grüße \U0001f30d \\u0000",
        assistant_text="Hi, how are",
        heard_text="Hi,",
        outcome="interrupted",
        route="crisis",
        response_style="supportive",
        tool_calls=[{"tool_name": "a", "status": "failed", "output": {"n": [1.5, None]}, "error": "tool_timeout"}],
        grounded_lookup={"query": "q", "status": "found"},
        timings={"response_ms": 412},
        diagnostics={"tool_names": ["a"]},
    )
    before = datetime.now(UTC)
    assert await store.turns.record(turn) == 2
    (kept,) = await store.turns.history("t", owner="ada", after=0, limit=9)
    assert (kept.turn, kept.number) == (turn, 1)
    assert before <= kept.created_at <= datetime.now(UTC)


@pytest.mark.row("I4")
async def test_the_same_turn_again_is_answered_from_what_was_stored(store: SqlStore) -> None:
    for user_text, fingerprint in (("one", "f1"), ("two", "f2")):
        await store.turns.record(any_turn(client_turn_id=user_text, fingerprint=fingerprint, user_text=user_text))
    assert await store.turns.record(any_turn(client_turn_id="one", fingerprint="f1", user_text="one")) == 1
    with refused(409):
        await store.turns.record(any_turn(client_turn_id="one", fingerprint="f3"))
    assert await store.turns.counts("t") == Counts(sessions=0, turns=2)


async def test_pages_follow_each_other_and_the_last_turns_come_in_order(store: SqlStore) -> None:
    for n in range(5):
        await store.turns.record(any_turn(user_text=str(n)))
    page = await store.turns.history("t", owner="t", after=2, limit=2)
    assert [turn.turn.user_text for turn in page] == ["2", "3"]
    assert [turn.turn.user_text for turn in await store.turns.recent("t", owner="t", limit=2)] == ["3", "4"]
    assert await store.turns.recent("t", owner="eve", limit=2) == []
    assert await store.turns.recent("elsewhere", owner="t", limit=2) == []


async def test_threads_are_listed_newest_first_page_by_page_and_never_anothers(store: SqlStore) -> None:
    for name in ("a", "b", "c"):
        await store.turns.record(any_turn(thread_id=name, owner="ada"))
    await store.turns.record(any_turn(thread_id="d", owner="eve"))
    await store.turns.record(any_turn(thread_id="e", owner="e", guest=True))
    first = await store.threads.listed("ada", before=None, limit=2)
    assert [thread.thread_id for thread in first] == ["c", "b"]
    rest = await store.threads.listed("ada", before=(first[-1].created_at, first[-1].thread_id), limit=2)
    assert [thread.thread_id for thread in rest] == ["a"]
    assert [thread.thread_id for thread in await store.threads.listed(None, before=None, limit=9)] == ["e"]


async def test_another_owners_thread_is_not_there(store: SqlStore) -> None:
    await store.turns.record(any_turn(owner="ada"))
    for attempt in (
        store.turns.record(any_turn(owner="eve")),
        store.turns.history("t", owner="eve", after=0, limit=1),
        store.threads.find("t", owner="eve"),
        store.threads.delete("t", owner="eve"),
        store.endings.claim("t", owner="eve", session_id=None, now=NOW, idle_since=None),
    ):
        with refused(404):
            await attempt
    assert await store.threads.erase("eve") == Gone(threads=0, turns=0)
    assert (await store.threads.find("t", owner="ada")).turn_count == 1


async def test_what_is_deleted_is_gone_with_everything_that_belongs_to_it(store: SqlStore) -> None:
    for name in ("a", "b"):
        await store.turns.record(any_turn(thread_id=name, owner="ada", client_turn_id="c"))
        claim = await claimed(store, name)
        await store.endings.complete(claim, episodic_arc(claim.turns), now=NOW)
    await store.turns.record(any_turn(thread_id="c", owner="eve"))
    token = Private("secret")
    briefing = Briefing(thread_id="b", user_id="ada", memory_mode="persistent", language=None)
    await store.sessions.keep("rtc_1", token, briefing)
    assert await store.threads.delete("a", owner="ada") == 1
    with refused(404):
        await store.threads.find("a", owner="ada")
    assert await store.turns.counts("ada") == Counts(sessions=1, turns=1)
    assert await store.threads.erase("ada") == Gone(threads=1, turns=1)
    assert await store.turns.counts("ada") == Counts(sessions=0, turns=0)
    assert await store.sessions.find(token) is None
    assert await store.turns.counts("eve") == Counts(sessions=0, turns=1)
    assert await store.turns.record(any_turn(thread_id="a", owner="eve", client_turn_id="c")) == 1


async def test_a_session_is_found_by_its_token_alone_until_it_is_purged(store: SqlStore) -> None:
    briefing = Briefing(thread_id="t", user_id=None, memory_mode="persistent", language="de", save_transcript=False)
    await store.sessions.keep("rtc_1", Private("secret"), briefing)
    assert await store.sessions.find(Private("secret")) == ("rtc_1", briefing)
    assert await store.sessions.find(Private("another")) is None
    await store.sessions.purge(opened_before=datetime.now(UTC) - timedelta(hours=1))
    assert await store.sessions.find(Private("secret")) is not None
    await store.sessions.purge(opened_before=datetime.now(UTC))
    assert await store.sessions.find(Private("secret")) is None


@pytest.mark.row("J6")
async def test_a_thread_says_how_far_its_finalization_is(store: SqlStore) -> None:
    async def status() -> tuple[str, int, str | None]:
        thread = await store.threads.find("t", owner="t")
        return thread.finalization.value, thread.open_turns, thread.failure

    await store.turns.record(any_turn())
    assert await status() == ("idle", 1, None)
    claim = await claimed(store)
    assert await status() == ("in_progress", 1, None)
    await store.endings.fail(claim, "SummaryError")
    assert await status() == ("failed", 1, "SummaryError")
    claim = await claimed(store)
    await store.turns.record(any_turn("meanwhile"))
    assert await status() == ("in_progress", 2, None)
    await store.endings.complete(claim, episodic_arc(claim.turns), now=NOW)
    assert await status() == ("idle", 1, None)
    claim = await claimed(store)
    assert [turn.user_text for turn in claim.turns] == ["meanwhile"]
    await store.endings.complete(claim, episodic_arc(claim.turns), now=NOW)
    assert await status() == ("completed", 0, None)
    assert (await store.threads.find("t", owner="t")).finalized_at == NOW


async def test_one_of_many_gets_the_claim(database_url: str) -> None:
    stores = [SqlStore(database_url), SqlStore(database_url)]
    await stores[0].turns.record(any_turn())
    got = await asyncio.gather(*(claimed(stores[n % 2]) for n in range(10)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in got) == ["Claim", *["FinalizationInProgress"] * 9]
    for each in stores:
        await each.close()


async def test_a_claim_runs_out_and_the_late_one_keeps_no_second_arc(store: SqlStore) -> None:
    await store.turns.record(any_turn())
    late = await claimed(store)
    later = NOW + CLAIM_LEASE
    idle_since = datetime.now(UTC)
    assert await store.endings.due(idle_since=NOW, now=NOW, limit=9) == []
    assert await store.endings.due(idle_since=NOW, now=later, limit=9) == ["t"]
    claim = await store.endings.claim("t", owner=None, session_id=None, now=later, idle_since=idle_since)
    assert isinstance(claim, Claim)
    await store.endings.complete(claim, episodic_arc(claim.turns), now=later)
    with pytest.raises(FinalizationInProgress):
        await store.endings.complete(late, episodic_arc(late.turns), now=later)
    assert (await store.turns.counts("t")).sessions == 1


async def test_quiet_threads_are_due_and_those_of_this_process_are_its_own(database_url: str) -> None:
    here, there = SqlStore(database_url), SqlStore(database_url)
    await here.turns.record(any_turn(thread_id="a"))
    await there.turns.record(any_turn(thread_id="b"))
    moment = datetime.now(UTC)
    await there.turns.record(any_turn(thread_id="c"))
    assert await here.endings.due(idle_since=moment, now=moment, limit=9) == ["a", "b"]
    assert await here.endings.due(idle_since=moment, now=moment, limit=1) == ["a"]
    assert await here.endings.served_here(limit=9) == ["a"]
    assert await there.endings.served_here(limit=9) == ["b", "c"]
    await there.turns.record(any_turn(thread_id="a"))
    assert await here.endings.served_here(limit=9) == []
    # Something happened after it was found to be due.
    assert await here.endings.claim("a", owner=None, session_id=None, now=moment, idle_since=moment) is None
    for each in (here, there):
        await each.close()


async def test_a_session_that_was_ended_by_its_silence_gets_that_arc_when_it_asks(store: SqlStore) -> None:
    await store.turns.record(any_turn(session_id="rtc_1"))
    claim = await claimed(store)
    arc = episodic_arc(claim.turns)
    await store.endings.complete(claim, arc, now=NOW)

    async def asked(session_id: str | None) -> Claim | Arc | None:
        return await store.endings.claim("t", owner="t", session_id=session_id, now=NOW, idle_since=None)

    assert await asked("rtc_1") == await asked(None) == arc
    assert await asked("rtc_2") is None


async def end_connections(store: SqlStore) -> None:
    """All that the store has to its PostgreSQL, as when that is started again."""
    other = SqlStore(str(store.database._url))
    everybody_else = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    async with other.database.begin() as connection:
        await connection.execute(text(f"{everybody_else} AND datname = current_database()"))
    await other.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED", 0.0)
    await store.turns.record(any_turn("one"))
    await end_connections(store)
    assert await store.turns.record(any_turn("two")) == 2
    assert [kept.turn.user_text for kept in await store.turns.recent("t", owner="t", limit=5)] == ["one", "two"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_connection_that_was_lost_a_moment_ago_costs_one_answer_that_says_to_ask_again(store: SqlStore) -> None:
    await store.turns.record(any_turn("one"))
    await end_connections(store)
    with refused(503):
        await store.turns.record(any_turn("two"))
    assert await store.turns.record(any_turn("two")) == 2
