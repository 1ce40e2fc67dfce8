"""What stands between a talk and its backend, with a backend that only counts."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from couchvoice.client.backend import Backend
from couchvoice.contract import EndReply, SessionReply, ToolReply, TurnReply
from couchvoice.core.effects import CallTool
from couchvoice.core.notices import Interrupted
from couchvoice.errors import BackendError, RateLimited, Unauthorized, Unavailable
from couchvoice.scenario import media_clock
from couchvoice.scenario.observed import Observed
from couchvoice.scenario.script import Fault
from couchvoice.scenario.tool_faults import FaultyBackend, ToolFaults

CALL = CallTool("c1", "lookup", {"query": "tea"}, "", ())


class Counting:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def call_tool(self, call: CallTool) -> ToolReply:
        self.asked.append(call.name)
        return ToolReply(output={"found": len(self.asked)})

    async def open_session(self) -> SessionReply:
        self.asked.append("session")
        return SessionReply(client_secret="ek_1")

    async def record_turn(self, turn: Any) -> TurnReply:
        self.asked.append("turn")
        return TurnReply(recorded=True)

    async def end_session(self, feedback: str | None = None) -> EndReply:
        self.asked.append("end")
        return EndReply(finalized=True)


class Held:
    def __init__(self, **faults: Any) -> None:
        self.counting, self.observed, self.faults = Counting(), Observed(), ToolFaults(faults)
        self.backend = FaultyBackend(cast(Backend, self.counting), self.faults, self.observed)


def test_without_a_fault_each_call_goes_through_once_and_is_seen() -> None:
    held = Held()

    async def talk() -> None:
        await held.backend.open_session()
        await held.backend.call_tool(CALL)
        await held.backend.record_turn(cast(Any, None))
        await held.backend.end_session()

    asyncio.run(talk())
    assert held.counting.asked == ["session", "lookup", "turn", "end"]
    seen = held.observed.calls["c1"]
    assert (seen.arguments, seen.output, seen.deliveries) == ({"query": "tea"}, {"found": 2}, 1)


@pytest.mark.row("P11")
def test_a_duplicate_arrives_twice_and_is_answered_once() -> None:
    held = Held(lookup="duplicate", turn="duplicate")
    reply = asyncio.run(held.backend.call_tool(CALL))
    assert (reply.output, held.counting.asked) == ({"found": 2}, ["lookup", "lookup"])
    assert held.observed.calls["c1"].deliveries == 2
    asyncio.run(held.backend.record_turn(cast(Any, None)))
    assert held.counting.asked[2:] == ["turn", "turn"]


@pytest.mark.row("P11")
@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (500, Unavailable, "voice_realtime_tool_failed"),
        (429, RateLimited, "http_429"),
        (403, Unauthorized, "http_403"),
        (404, BackendError, "http_404"),
    ],
)
def test_a_refusal_is_what_its_status_means_and_nothing_arrives(
    status: int, kind: type[BackendError], code: str
) -> None:
    held = Held(lookup=Fault(fault="error", status=status))
    with pytest.raises(kind) as caught:
        asyncio.run(held.backend.call_tool(CALL))
    assert (caught.value.status, caught.value.code) == (status, code)
    assert held.counting.asked == []


def test_a_fault_may_be_for_the_first_calls_only_and_may_be_taken_away() -> None:
    held = Held(lookup=Fault(fault="duplicate", times=1))
    for _ in range(2):
        asyncio.run(held.backend.call_tool(CALL))
    assert held.counting.asked == ["lookup"] * 3
    held.faults.change({"lookup": "duplicate"})
    held.faults.change({"lookup": None})
    asyncio.run(held.backend.call_tool(CALL))
    assert held.counting.asked == ["lookup"] * 4


@pytest.mark.row("P11")
def test_a_slow_answer_comes_late_and_a_hanging_one_never() -> None:
    async def took(held: Held, within: float) -> float | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(within):
                await held.backend.call_tool(CALL)
        except TimeoutError:
            return None
        return loop.time() - began

    assert media_clock.run(took(Held(lookup=Fault(fault="slow", ms=4000)), 10)) == pytest.approx(4, abs=0.01)
    assert media_clock.run(took(Held(lookup="hang"), 1000)) is None


@pytest.mark.row("P11")
def test_a_late_answer_waits_for_an_interruption_that_comes_after_its_call() -> None:
    async def came() -> tuple[bool, float]:
        held = Held(lookup=Fault(fault="late", ms=500))
        loop = asyncio.get_running_loop()
        held.observed.tell(Interrupted(), loop.time())  # of before
        calling = asyncio.create_task(held.backend.call_tool(CALL), name="call")
        await asyncio.sleep(5)
        too_soon = calling.done()
        interrupted = loop.time()
        held.observed.tell(Interrupted(), interrupted)
        await calling
        return too_soon, loop.time() - interrupted

    too_soon, after = media_clock.run(came())
    assert not too_soon
    assert after == pytest.approx(0.5, abs=0.01)
