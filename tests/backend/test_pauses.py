"""The silence after which a session takes somebody to have finished, learnt from their pauses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.backend import SqlStore
from couchvoice.backend.pauses import LONGEST, SHORTEST, averaged, believable, silence_for
from couchvoice.settings import SessionSettings
from tests.backend.ends import BackendEnd, any_turn, running_backend

PERSISTENT = {"memory_mode": "persistent", "user_id": "ada"}


@pytest.fixture
async def adaptive(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state", session=SessionSettings(adaptive_vad=True)) as end:
        yield end


async def asked(backend: BackendEnd, thread_id: str = "t1", **fields: Any) -> int:
    config = (await backend.session(thread_id, **fields)).json()["session_config"]
    silence: int = config["audio"]["input"]["turn_detection"]["silence_duration_ms"]
    return silence


async def paused(backend: BackendEnd, gap: object, **fields: Any) -> None:
    assert (await backend.turn(user_text="x", timings={"user_pause_ms": gap}, **fields)).status_code == 200


@pytest.mark.row("D12")
@given(pauses=st.lists(st.floats(0, 10_000, allow_subnormal=False), min_size=1))
def test_whatever_was_heard_the_silence_is_one_that_can_be_asked_for(pauses: list[float]) -> None:
    average = None
    for pause in pauses:
        average = averaged(average, pause)
        assert SHORTEST <= silence_for(average) <= LONGEST
    assert min(pauses) <= average <= max(pauses)  # type: ignore[operator]  # there was one


@pytest.mark.row("D12")
def test_the_silence_is_six_tenths_of_an_average_in_which_the_newest_counts_half() -> None:
    assert averaged(averaged(None, 400.0), 1000.0) == 700.0
    assert [silence_for(pause) for pause in (0, 300, 334, 1000, 1333, 9000)] == [200, 200, 200, 600, 800, 800]


@pytest.mark.row("D12")
@pytest.mark.parametrize("gap", [None, "600", True, -1, 3001, float("nan"), float("inf"), [600], {}])
def test_what_cannot_be_a_pause_is_not_believed(gap: object) -> None:
    assert believable(gap) is None
    assert believable(600) == 600.0


@pytest.mark.row("D12")
async def test_the_next_session_of_the_owner_waits_as_long_as_they_pause(adaptive: BackendEnd) -> None:
    assert await asked(adaptive, **PERSISTENT) == 500
    await paused(adaptive, 400, **PERSISTENT)  # 900 ms with the silence that was waited for
    assert await asked(adaptive, **PERSISTENT) == 540
    await paused(adaptive, 0, **PERSISTENT)  # 540 ms
    assert await asked(adaptive, "t2", **PERSISTENT) == 432
    assert await asked(adaptive, "t3", memory_mode="persistent", user_id="eve") == 500
    assert await asked(adaptive, "t4", **PERSISTENT, silence_duration_ms=300) == 300


@pytest.mark.row("D12", "K3")
async def test_of_an_incognito_talk_nothing_is_learnt_and_in_it_nothing_used(adaptive: BackendEnd) -> None:
    assert await asked(adaptive, "t9") == 500
    await paused(adaptive, 900, thread_id="t9")
    assert not adaptive.data.exists()
    await asked(adaptive, **PERSISTENT)
    await paused(adaptive, 900, **PERSISTENT)
    assert await asked(adaptive, "t8", user_id="ada") == 500


@pytest.mark.row("D12")
async def test_unless_it_is_asked_for_nothing_is_learnt(backend: BackendEnd) -> None:
    assert await asked(backend, **PERSISTENT) == 500
    await paused(backend, 900, **PERSISTENT)
    assert await asked(backend, **PERSISTENT) == 500


@pytest.mark.row("D12")
async def test_what_was_learnt_outlives_the_process_and_goes_with_its_owner(store: SqlStore, database_url: str) -> None:
    await store.pauses.heard("ada", 400)  # no session of hers was ever opened
    assert await store.pauses.silence("ada") is None
    assert set(await asyncio.gather(*(store.pauses.opened("ada", default=500) for _ in range(4)))) == {500}
    await store.pauses.heard("ada", 400)
    await store.close()
    other = SqlStore(database_url)
    assert await other.pauses.silence("ada") == 540
    await other.turns.record(any_turn(owner="ada", thread_id="t1"))
    await other.threads.delete("t1", owner="ada")
    assert await other.pauses.silence("ada") == 540
    await other.threads.erase("ada")
    assert await other.pauses.silence("ada") is None
    await other.pauses.opened("guest", default=500)
    await other.pauses.heard("guest", 400)
    await other.turns.record(any_turn(owner="guest", thread_id="guest", guest=True))
    await other.threads.delete("guest", owner="guest")
    assert await other.pauses.silence("guest") is None
    await other.close()
