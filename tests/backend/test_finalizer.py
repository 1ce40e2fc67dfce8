"""The finalizer: what ends a session besides its client, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.arc import episodic_arc
from couchvoice.backend.finalizer import FINALIZE_AFTER, SESSION_KEPT, Finalizer
from couchvoice.backend.memory.digest import Digest
from couchvoice.backend.store import Turn
from tests.backend.ends import any_turn, running_backend
from tests.patience import until

PERSISTENT = {"memory_mode": "persistent"}


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Summary:
    """Implements Summarizer. By rules, except for a talk with a word that it cannot bear."""

    def __init__(self) -> None:
        self.broken = True

    async def digest(self, turns: Sequence[Turn]) -> Digest:
        if self.broken and any("boom" in turn.user_text for turn in turns):
            raise LookupError("boom")
        return Digest(episodic_arc(turns))

    async def close(self) -> None:
        pass


@pytest.mark.row("J5")
async def test_a_thread_is_finalized_after_20_minutes_of_silence_and_by_one_process_only(database_url: str) -> None:
    clock = Clock()
    stores = [SqlStore(database_url), SqlStore(database_url)]
    finalizers = [Finalizer(store, now=clock) for store in stores]
    await stores[0].turns.record(any_turn("I will call my brother.", session_id="rtc_1"))
    clock.advance(FINALIZE_AFTER - 60)
    assert [await finalizer.sweep() for finalizer in finalizers] == [0, 0]
    await stores[1].turns.record(any_turn("Still here.", session_id="rtc_1"))
    clock.advance(FINALIZE_AFTER)
    assert sum(await asyncio.gather(*(finalizer.sweep() for finalizer in finalizers))) == 1
    thread = await stores[0].threads.find("t", owner="t")
    assert (thread.finalization, thread.open_turns) == ("completed", 0)
    assert sum(await asyncio.gather(*(finalizer.sweep() for finalizer in finalizers))) == 0
    # The client that comes back late is told what was made of its session.
    arc = await finalizers[1].finalize_when_free("t", owner="t", session_id="rtc_1")
    assert arc is not None
    assert (arc.turn_count, arc.open_loops) == (2, ["I will call my brother."])
    assert (await stores[0].turns.counts("t")).sessions == 1
    for store in stores:
        await store.close()


@pytest.mark.row("J6")
async def test_what_cannot_be_finalized_says_so_keeps_nobody_else_and_is_tried_when_somebody_asks(
    store: SqlStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock, summary = Clock(), Summary()
    finalizer = Finalizer(store, summarizer=summary, now=clock)
    for name, words in (("a", "boom"), ("b", "fine")):
        await store.turns.record(any_turn(words, thread_id=name))
    clock.advance(FINALIZE_AFTER + 60)
    assert await finalizer.sweep() == 1
    failed = await store.threads.find("a", owner="t")
    assert (failed.finalization, failed.failure, failed.open_turns) == ("failed", "LookupError", 1)
    assert "boom" not in caplog.text
    assert await finalizer.sweep() == 0
    with pytest.raises(LookupError):
        await finalizer.finalize_when_free("a", owner="t", session_id=None)
    summary.broken = False
    assert await finalizer.finalize_when_free("a", owner="t", session_id=None) is not None
    assert (await store.threads.find("a", owner="t")).finalization == "completed"


async def test_whoever_asks_while_another_finalizes_gets_the_same_arc(store: SqlStore) -> None:
    finalizer = Finalizer(store)
    await store.turns.record(any_turn(session_id="rtc_1"))
    arcs = await asyncio.gather(*(finalizer.finalize_when_free("t", owner="t", session_id="rtc_1") for _ in range(5)))
    assert arcs[0] is not None
    assert arcs == arcs[:1] * 5


async def test_sessions_are_forgotten_after_a_day(tmp_path: Path) -> None:
    clock = Clock()
    store = SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'state' / 'backend.db'}")
    async with running_backend(tmp_path / "state", store=store) as backend:
        token = (await backend.session(**PERSISTENT)).json()["session_token"]
    async with running_backend(tmp_path / "state", store=store) as backend:
        assert (await backend.turn(token=token, user_text="hello", **PERSISTENT)).status_code == 200
        clock.advance(SESSION_KEPT.total_seconds() + 60)
        await Finalizer(store, now=clock).sweep()
    async with running_backend(tmp_path / "state", store=store) as backend:
        assert (await backend.turn(token=token, user_text="hello", **PERSISTENT)).status_code == 403
        await store.close()


@pytest.mark.row("J5")
async def test_the_backend_looks_by_itself_and_goes_on_after_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'state' / 'backend.db'}")
    finalizer = Finalizer(store, finalize_after=0.04)
    async with running_backend(tmp_path / "state", store=store, finalizer=finalizer) as backend:
        backend.database.mkdir(parents=True)  # in the way
        await until(lambda: "looking for quiet threads failed" in caplog.text)
        backend.database.rmdir()
        await backend.turn(user_text="hello", **PERSISTENT)

        async def status() -> dict[str, Any]:
            found: dict[str, Any] = (await backend.http.get("/api/threads/t1/status")).json()
            return found

        async with asyncio.timeout(5):
            while (await status())["finalization"] != "completed":
                pass


@pytest.mark.row("J5")
async def test_the_shutdown_finalizes_what_was_served_here_except_where_one_talk_has_ended_it(
    database_url: str,
) -> None:
    store, elsewhere = SqlStore(database_url), SqlStore(database_url)
    data = Path("unused")
    async with running_backend(data, store=store, finalize_at_shutdown=False) as backend:
        await backend.turn(user_text="hello", **PERSISTENT)
    assert (await elsewhere.threads.find("t1", owner="t1")).finalization == "idle"
    async with running_backend(data, store=store) as backend:
        await backend.turn(user_text="hello again", **PERSISTENT)
        await elsewhere.turns.record(any_turn(thread_id="t2"))
    assert (await elsewhere.threads.find("t1", owner="t1")).finalization == "completed"
    assert (await elsewhere.threads.find("t2", owner="t")).finalization == "idle"
    await elsewhere.close()
