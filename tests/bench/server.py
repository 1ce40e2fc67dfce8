"""``server``: what ``serve realtime`` costs and how soon it answers, beside a bare aiortc answerer.

CPU of idle and speaking calls, calls held on one core before frames are late, the end of a question to the first sound
of the answer, events per second, and what stays after many calls. Law: both servers are processes of their own, read
by the kernel's figures (Linux only); the callers cost little, and what they cost is in no figure.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench import event_rate, first_sound, utterance
from tests.bench.caller import Caller
from tests.bench.calls_held import LATE, Climb, calls_held
from tests.bench.rounds import Figures, medians, ratio, take_turns
from tests.bench.served import Served, bare, ours

SILENCES = (200, 500, 800)  # ms of silence that end a question
MANY = 8  # calls
SETTLE = 0.5  # seconds after a call was opened or closed


@dataclass(frozen=True, slots=True)
class _Plan:
    cpu_rounds: int
    cpu_seconds: float  # whole periods of a question
    questions: int  # for each silence, over each transport
    event_rounds: int
    climbs: int
    climb: Climb
    idle_climb: Climb | None
    cycles: tuple[int, int]  # opened and closed calls before the first weighing and before the last one


FULL = _Plan(
    cpu_rounds=3,
    cpu_seconds=2 * utterance.PERIOD,
    questions=15,
    event_rounds=7,
    climbs=2,
    climb=Climb(first=6, growth=1.2, limit=200, window=4.0, looks=3),
    idle_climb=Climb(first=8, growth=1.2, limit=200, window=3.0, looks=3),
    cycles=(20, 300),
)
QUICK = _Plan(
    cpu_rounds=1,
    cpu_seconds=utterance.PERIOD / 2,
    questions=1,
    event_rounds=2,
    climbs=1,
    climb=Climb(first=8, growth=1.7, limit=40, window=1.0, looks=2),
    idle_climb=None,
    cycles=(20, 60),
)


def measure(*, quick: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as state:
        return asyncio.run(_measure(Path(state), QUICK if quick else FULL))


async def _measure(state: Path, plan: _Plan) -> dict[str, object]:
    async with AsyncExitStack() as stack:
        ends = {"ours": await stack.enter_async_context(ours(state)), "bare": await stack.enter_async_context(bare())}
        bench = _Bench(ends, plan)
        return {
            "cpu": await bench.cpu(),
            "speech_end_to_first_sound": await bench.first_sounds(),
            "events_per_second": await bench.events(),
            "rss": await bench.weights(),
            "calls_per_core": await bench.calls(),
        }


class _Bench:
    """``calls`` comes last: it pins both servers to a core."""

    def __init__(self, ends: Mapping[str, Served], plan: _Plan) -> None:
        self._ends = ends
        self._plan = plan
        self._silence = utterance.packets(utterance.silence())
        self._question = utterance.packets(utterance.question(utterance.RATE))

    async def cpu(self) -> dict[str, object]:
        """Percent of a core for each call. Both servers serve at the same time: CPU time is not wall time."""

        async def idle(end: Served) -> float:
            return await self._load(end, end.idle, self._silence, 1)

        async def speaking(end: Served) -> float:
            return await self._load(end, end.talking, self._question, 1)

        async def many(end: Served) -> float:
            return await self._load(end, end.idle, self._silence, MANY)

        kinds = {"idle": idle, "speaking": speaking, f"each_of_{MANY}_idle": many}
        return {name: await self._compare(name, kind) for name, kind in kinds.items()}

    async def _compare(self, name: str, load: Callable[[Served], Awaitable[float]]) -> dict[str, object]:
        rounds: list[Figures] = []
        for _ in range(self._plan.cpu_rounds):
            percents = await asyncio.gather(*(load(end) for end in self._ends.values()))
            rounds.append(dict(zip(self._ends, percents, strict=True)))
            print(f"cpu {name}: {rounds[-1]}", file=sys.stderr)
        percent = medians(rounds)
        return {"percent": percent, "ratio": round(percent["ours"] / percent["bare"], 3)}

    async def _load(self, end: Served, url: str, packets: list[bytes], calls: int) -> float:
        callers = [Caller(packets) for _ in range(calls)]
        async with httpx.AsyncClient() as http:
            for caller in callers:
                await caller.connect(http, url)
        await asyncio.sleep(SETTLE)
        spent, started = end.cpu_seconds, time.perf_counter()
        await asyncio.sleep(self._plan.cpu_seconds)
        share = (end.cpu_seconds - spent) / (time.perf_counter() - started)
        for caller in callers:
            await caller.close()
        return 100 * share / calls

    async def first_sounds(self) -> dict[str, object]:
        """The ratio is to the silence that the server has to wait for, so that 1 cannot be reached."""
        end, rounds = self._ends["ours"], self._plan.questions
        echo = first_sound.echo(self._ends["bare"].echo, self._question, rounds)
        webrtc = [first_sound.over_webrtc(end.talking, self._question, silence, rounds) for silence in SILENCES]
        websocket = [first_sound.over_websocket(end.socket, silence, rounds) for silence in SILENCES]
        there_and_back, *delays = await asyncio.gather(echo, *webrtc, *websocket)
        figures = [_delay(found, silence, rounds) for found, silence in zip(delays, SILENCES * 2, strict=True)]
        names = [f"silence_{silence}" for silence in SILENCES]
        return {
            "webrtc": dict(zip(names, figures[: len(names)], strict=True)),
            "websocket": dict(zip(names, figures[len(names) :], strict=True)),
            "bare_echo_ms": round(statistics.median(there_and_back) * 1000),
        }

    async def events(self) -> dict[str, object]:
        mine, other = self._ends["ours"], self._ends["bare"]
        transports = {
            "websocket": {
                "ours": lambda: event_rate.over_websocket(mine.socket, echoes=False),
                "bare": lambda: event_rate.over_websocket(other.socket, echoes=True),
            },
            "webrtc": {
                "ours": lambda: event_rate.over_webrtc(mine.idle, self._silence, echoes=False),
                "bare": lambda: event_rate.over_webrtc(other.idle, self._silence, echoes=True),
            },
        }
        found: dict[str, object] = {}
        for transport, contestants in transports.items():
            rates = await take_turns(contestants, self._plan.event_rounds)
            ratios = {kind: ratio(rates["ours"], rates["bare"], kind) for kind in event_rate.KINDS}
            found[transport] = {**rates, "ratio": ratios}
        return found

    async def weights(self) -> dict[str, object]:
        """MB after so many opened and closed calls, and what each hundred further ones have added."""
        early, late = self._plan.cycles
        seen: dict[int, list[float]] = {}
        done = 0
        for cycles in (early, late):
            await asyncio.gather(*(self._open_and_close(end.idle, cycles - done) for end in self._ends.values()))
            await asyncio.sleep(SETTLE)
            done, seen[cycles] = cycles, [end.rss_mb for end in self._ends.values()]
            print(f"after {cycles} calls: {seen[cycles]} MB", file=sys.stderr)
        found: dict[str, object] = {}
        for name, first, last in zip(self._ends, seen[early], seen[late], strict=True):
            slope = (last - first) * 100 / (late - early)
            found[name] = {f"mb_{early}": round(first, 1), f"mb_{late}": round(last, 1), "mb_per_100": round(slope, 2)}
        return found | {"ratio": round(seen[late][0] / seen[late][1], 3)}

    async def _open_and_close(self, url: str, cycles: int) -> None:
        async with httpx.AsyncClient() as http:
            for _ in range(cycles):
                caller = Caller(self._silence)
                await caller.connect(http, url)
                await caller.close()

    async def calls(self) -> dict[str, object]:
        """Each server has a core for itself, and the callers have another."""
        core, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, others or {core})
        for end in self._ends.values():
            end.pin({core})
        found: dict[str, object] = {"late_ms": LATE * 1000}
        found["speaking"] = await self._climb("talking", self._question, self._plan.climb)
        if self._plan.idle_climb is not None:
            found["idle"] = await self._climb("idle", self._silence, self._plan.idle_climb)
        return found

    async def _climb(self, kind: str, packets: list[bytes], climb: Climb) -> dict[str, object]:
        """The best of all climbs: a busy neighbour makes a server hold fewer calls, and nothing makes it hold more."""
        held = dict.fromkeys(self._ends, 0)
        for _ in range(self._plan.climbs):
            for name, end in self._ends.items():
                print(f"{kind} calls of {name}", file=sys.stderr)
                held[name] = max(held[name], await calls_held(end, getattr(end, kind), packets, climb))
        return {**held, "ratio": round(held["ours"] / held["bare"], 3) if held["bare"] else None}


def _delay(delays: Sequence[float], silence: int, questions: int) -> dict[str, float]:
    ms = [delay * 1000 for delay in delays]
    if not ms:
        return {"unanswered": questions}
    median = statistics.median(ms)
    high = statistics.quantiles(ms, n=20, method="inclusive")[-1] if len(ms) > 1 else median
    return {
        "ms": round(median),
        "p95_ms": round(high),
        "excess_ms": round(median - silence),
        "ratio": round(median / silence, 3),
        "unanswered": questions - len(ms),
    }
