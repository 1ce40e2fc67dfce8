"""The recorder: in order, with the same id at every try, and what it gives up it says."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from couchvoice.client import recorder as recording
from couchvoice.client.recorder import Recorder
from couchvoice.contract import EndReply, SessionReply, ToolReply, TurnReply
from couchvoice.core.effects import CallTool
from couchvoice.core.notices import Notice, Problem, TurnRecorded
from couchvoice.core.turn import FinishedTurn, Outcome
from couchvoice.errors import BackendError, RateLimited, Unavailable
from couchvoice.scenario.media_clock import run as run_skipping

DOWN = Unavailable("/turn", 503, "down", "try later")
REFUSED = BackendError("/turn", 409, "conflict", "another body")


def limited(seconds: float | None) -> RateLimited:
    error = RateLimited("/turn", 429, "too_many", "slowly")
    error.retry_after = seconds
    return error


class Scripted:
    """A backend whose ``record_turn`` answers as it was told, one after the other, then accepts."""

    def __init__(self, *answers: Exception | bool) -> None:
        self.posted: list[tuple[float, FinishedTurn]] = []
        self._answers = list(answers)

    async def record_turn(self, turn: FinishedTurn) -> TurnReply:
        self.posted.append((asyncio.get_running_loop().time(), turn))
        answer = self._answers.pop(0) if self._answers else True
        if isinstance(answer, Exception):
            raise answer
        return TurnReply(recorded=answer)

    async def open_session(self) -> SessionReply:
        raise AssertionError("the recorder only records")

    async def call_tool(self, call: CallTool) -> ToolReply:
        raise AssertionError("the recorder only records")

    async def end_session(self) -> EndReply:
        raise AssertionError("the recorder only records")

    @property
    def ids(self) -> list[str]:
        return [turn.client_turn_id for _, turn in self.posted]

    @property
    def pauses(self) -> list[float]:
        """Between the tries, in seconds."""
        times = [at for at, _ in self.posted]
        return [round(later - earlier, 3) for earlier, later in pairwise(times)]


def turn(index: int) -> FinishedTurn:
    return FinishedTurn(
        index=index,
        client_turn_id=f"k-{index}",
        user_text="hello",
        assistant_text="hi",
        tool_calls=(),
        outcome=Outcome.COMPLETED,
        timings={},
    )


def record(backend: Scripted, turns: int = 1, *, patience: float = 1000.0) -> list[Notice]:
    """Put the turns, wait for them as long as the patience lasts, stop; on a clock that skips the pauses."""

    async def main() -> list[Notice]:
        told: list[Notice] = []
        recorder = Recorder(backend, told.append)
        running = asyncio.create_task(recorder.run())
        for index in range(1, turns + 1):
            recorder.put(turn(index))
        try:
            async with asyncio.timeout(patience):
                await recorder._owed.join()  # as drain(), but in no hurry
        except TimeoutError:
            pass
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return told

    return run_skipping(main())


def accepted(told: list[Notice]) -> dict[int, bool]:
    return {notice.turn.index: notice.accepted for notice in told if isinstance(notice, TurnRecorded)}


@pytest.mark.row("I1")
def test_turns_are_posted_in_order_and_the_backends_word_is_told():
    backend = Scripted(True, False)
    told = record(backend, 3)
    assert backend.ids == ["k-1", "k-2", "k-3"]
    assert [(notice.turn.index, notice.recorded) for notice in told if isinstance(notice, TurnRecorded)] == [
        (1, True),
        (2, False),
        (3, True),
    ]
    assert set(accepted(told).values()) == {True}


@pytest.mark.row("I1")
def test_a_turn_is_tried_again_with_its_id_before_the_next_one():
    backend = Scripted(DOWN, DOWN)
    told = record(backend, 2)
    assert backend.ids == ["k-1", "k-1", "k-1", "k-2"]
    assert backend.pauses[:2] == [0.3, 0.6]
    assert accepted(told) == {1: True, 2: True}
    assert [notice for notice in told if isinstance(notice, Problem)] == []


def test_after_six_tries_a_turn_is_given_up_and_said_to_be_and_the_next_one_has_its_turn():
    backend = Scripted(*[DOWN] * recording.TRIES)
    told = record(backend, 2)
    assert backend.ids == ["k-1"] * recording.TRIES + ["k-2"]
    assert backend.pauses == [0.3, 0.6, 1.2, 2.4, 4.8, 0.0]
    assert accepted(told) == {1: False, 2: True}
    assert [notice.code for notice in told if isinstance(notice, Problem)] == ["down"]


def test_a_refusal_that_would_be_one_again_is_not_tried_again():
    backend = Scripted(REFUSED)
    told = record(backend)
    assert backend.ids == ["k-1"]
    assert accepted(told) == {1: False}
    assert [notice.code for notice in told if isinstance(notice, Problem)] == ["conflict"]


@pytest.mark.parametrize(
    ("asked", "pause"), [(5.0, 5.0), (3600.0, 10.0), (0.0, 0.3), (None, 0.3)], ids=["5", "an-hour", "0", "none"]
)
def test_a_backend_that_names_its_pause_gets_it_within_reason(asked: float | None, pause: float):
    backend = Scripted(limited(asked))
    record(backend)
    assert backend.pauses == [pause]


def test_a_turn_that_cannot_be_sent_at_all_does_not_keep_the_next_from_being_recorded():
    told = record(Scripted(ValueError("a bug")), 2)
    assert accepted(told) == {1: False, 2: True}
    assert [notice.code for notice in told if isinstance(notice, Problem)] == ["turn_failed"]


def test_what_is_owed_when_the_time_is_over_is_given_up_and_said_to_be():
    told = record(Scripted(*[DOWN] * 100), 3, patience=1.0)
    assert accepted(told) == {1: False, 2: False, 3: False}


def test_nothing_owed_is_drained_at_once():
    backend = Scripted()
    assert record(backend, 0) == []
    assert backend.posted == []


@pytest.mark.row("J1")
def test_who_waits_for_the_end_cuts_a_pause_short_once_for_each_turn():
    backend = Scripted(DOWN, DOWN, DOWN, True, True)

    async def main() -> list[Notice]:
        told: list[Notice] = []
        recorder = Recorder(backend, told.append)
        running = asyncio.create_task(recorder.run())
        for index in (1, 2):
            recorder.put(turn(index))
        await recorder.drain()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return told

    assert accepted(run_skipping(main())) == {1: True, 2: True}
    assert backend.pauses[:3] == [0.0, 0.6, 1.2]
