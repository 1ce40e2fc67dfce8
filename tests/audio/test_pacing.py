from __future__ import annotations

import asyncio

import pytest

from couchvoice.audio.pacing import CATCH_UP_LIMIT, Schedule, Ticker
from couchvoice.scenario.media_clock import run as run_skipping


def test_deadlines_do_not_drift_when_one_always_wakes_late():
    schedule = Schedule(100.0)
    for _ in range(50_000):
        schedule.claim(schedule.deadline + 0.004)
    assert schedule.deadline == pytest.approx(1100.0)


def test_after_a_stall_what_fell_due_is_due_at_once():
    schedule = Schedule(0.0)
    assert schedule.claim_due(0.0) == 1
    assert schedule.claim_due(0.301) == 15
    assert schedule.claim_due(0.301) == 0


def test_after_a_very_long_stall_no_more_than_the_limit_is_due():
    schedule = Schedule(0.0)
    assert schedule.claim_due(3600.0) == pytest.approx(CATCH_UP_LIMIT / 0.02, abs=1)
    assert schedule.deadline == pytest.approx(3600.0, abs=0.021)


def test_a_ticker_ticks_once_for_each_frame_and_at_the_stop_for_the_rest():
    ticks: list[int] = []

    async def main() -> None:
        ticker = Ticker(ticks.append)
        ticker.start()
        await asyncio.sleep(1.01)
        ticker.stop()
        ticker.stop()
        await asyncio.sleep(1.0)

    run_skipping(main())
    assert sum(ticks) == 50


def test_a_ticker_that_was_never_started_stops_in_peace():
    Ticker(lambda frames: None).stop()
