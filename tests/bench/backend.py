"""``backend``: turns, tool calls and sessions of 50 talks at once, on SQLite and PostgreSQL, beside a bare FastAPI app.

Two loads: each talk says a turn (or calls a tool) every two seconds, five times as often as people do, and how long
each waits; and all of them at once, as fast as they are answered, and how many that are a second, for how much CPU of
the server. PostgreSQL runs as it is shipped, with fsync. Law: both servers are processes of their own on the same
paths and the same database.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from tests.backend.postgres import AS_SHIPPED, running_postgres
from tests.bench.child import python
from tests.bench.http_line import HttpLine
from tests.bench.minter import minting
from tests.bench.rounds import Figures, ratio, take_turns
from tests.bench.served import Served

TALKS = 50
PERIOD = 2.0  # seconds from one turn of a talk to its next
PREFIX = "/api/voice/realtime"
TOKEN = "X-Couchvoice-Session"
MANY = "1000000"  # a minute: nobody is to be refused
STATUS = {"tool_name": "wait_for_user", "status": "completed", "output": {"response_text": "", "side_effect": "none"}}
TEXTS = {
    "user_text": "Could you remind me what we said about the garden, and about the roses, last week?",
    "assistant_text": "We said that the roses want less water than you think, and that you would ask your neighbour.",
}
PERCENT = 99


@dataclass(frozen=True, slots=True)
class _Plan:
    rounds: int
    starts: int
    seconds: Mapping[str, float]  # of each load


FULL = _Plan(rounds=3, starts=3, seconds={"sessions": 3, "turn": 8, "tools": 6, "turns": 4})
QUICK = _Plan(rounds=1, starts=1, seconds={"sessions": 0.5, "turn": 1.5, "tools": 0.7, "turns": 0.5})


@dataclass(frozen=True, slots=True)
class _Rush:
    waits: list[float]  # seconds
    per_second: float
    cpu_ms: float  # of the server, for each


@dataclass(slots=True)
class _Talk:
    line: HttpLine
    name: str
    thread_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    count: int = 0

    async def post(self, endpoint: str, **fields: Any) -> tuple[float, dict[str, Any]]:
        self.count += 1
        body = {"thread_id": self.thread_id, "user_id": self.name, **fields}
        return await self.line.post(f"{PREFIX}/{endpoint}", json.dumps(body).encode(), self.headers)

    async def open(self) -> float:
        """A session on a thread of its own."""
        self.thread_id, self.headers = f"{self.name}-{self.count}", {}
        seconds, reply = await self.post("session", memory_mode="persistent")
        self.headers = {TOKEN: reply["session_token"]} if "session_token" in reply else {}
        return seconds

    async def turn(self) -> float:
        timings = {"response_ms": 412.5}
        turn_id = f"{self.thread_id}-{self.count}"
        fields = {"client_turn_id": turn_id, "tool_calls": [STATUS], "timings": timings, **TEXTS}
        return (await self.post("turn", memory_mode="persistent", **fields))[0]

    async def call(self) -> float:
        return (await self.post("tools", memory_mode="persistent", tool_name="wait_for_user", arguments={}))[0]


def measure(*, quick: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, running_postgres(AS_SHIPPED) as postgres:
        return asyncio.run(_measure(Path(folder), postgres, QUICK if quick else FULL))


async def _measure(folder: Path, postgres: str, plan: _Plan) -> dict[str, object]:
    async with minting() as provider:
        programs = _programs(folder, postgres, provider)
        starts = await take_turns({name: _start(program) for name, program in programs.items()}, plan.starts)
        async with AsyncExitStack() as stack:
            loads = {
                name: _Load(await stack.enter_async_context(_served(program)), plan).run
                for name, program in programs.items()
            }
            figures = await take_turns(loads, plan.rounds)
    everything = {name: {**figures[name], "start_ms": starts[name]["start_ms"]} for name in programs}
    return {"talks": TALKS, **{database: _beside(everything, database) for database in ("sqlite", "postgresql")}}


def _programs(folder: Path, postgres: str, provider: str) -> dict[str, tuple[str, ...]]:
    serve = ("-m", "couchvoice", "serve", "backend", "--port", "0", "--realtime-url", provider)
    ours = (*serve, "--session-rate", MANY, "--tool-rate", MANY, "--database")
    bare = ("-m", "tests.bench.bare_backend")
    plain = make_url(postgres).set(drivername="postgresql").render_as_string(hide_password=False)
    return {
        "sqlite ours": (*ours, f"sqlite+aiosqlite:///{folder / 'ours.db'}"),
        "sqlite bare": (*bare, str(folder / "bare.db"), provider),
        "postgresql ours": (*ours, postgres),
        "postgresql bare": (*bare, plain, provider),
    }


@asynccontextmanager
async def _served(program: tuple[str, ...]) -> AsyncIterator[Served]:
    async with python(*program) as child:
        try:
            url = (await child.line()).removeprefix("ready ")
            yield Served(child.pid, url, url, url)
        finally:
            child.terminate()


def _start(program: tuple[str, ...]) -> Callable[[], Awaitable[Figures]]:
    """From its start until it says that it is ready."""

    async def run() -> Figures:
        async with python(*program) as child:
            await child.line()
            seconds = time.perf_counter() - child.born
            child.terminate()
        return {"start_ms": seconds * 1000}

    return run


class _Load:
    def __init__(self, end: Served, plan: _Plan) -> None:
        self._end = end
        self._seconds = plan.seconds
        self._round = 0

    async def run(self) -> Figures:
        self._round += 1
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(HttpLine(self._end.idle)) for _ in range(TALKS)]
            talks = [_Talk(line, f"{self._round}-{number}") for number, line in enumerate(lines)]
            opened = await self._flat_out([talk.open for talk in talks], "sessions")
            turn = await self._paced([talk.turn for talk in talks], "turn")
            tools = await self._paced([talk.call for talk in talks], "tools")
            turns = await self._flat_out([talk.turn for talk in talks], "turns")
        return {
            "sessions_per_second": opened.per_second,
            "session_cpu_ms": opened.cpu_ms,
            **_waits("turn", turn),
            **_waits("tools", tools),
            "turns_per_second": turns.per_second,
            "turn_cpu_ms": turns.cpu_ms,
            **_waits("busy_turn", turns.waits),
            "rss_mb": self._end.rss_mb,
        }

    async def _paced(self, moves: list[Callable[[], Awaitable[float]]], load: str) -> list[float]:
        """Each move once a period, the talks one after the other."""
        began = time.perf_counter()

        async def go_on(number: int, move: Callable[[], Awaitable[float]]) -> list[float]:
            found, due = [], began + PERIOD * number / len(moves)
            while due < began + self._seconds[load]:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                found.append(await move())
                due += PERIOD
            return found

        several = await asyncio.gather(*(go_on(number, move) for number, move in enumerate(moves)))
        return [seconds for found in several for seconds in found]

    async def _flat_out(self, moves: list[Callable[[], Awaitable[float]]], load: str) -> _Rush:
        """Each talk moves again as soon as it was answered."""
        began, spent = time.perf_counter(), self._end.cpu_seconds
        end = began + self._seconds[load]

        async def go_on(move: Callable[[], Awaitable[float]]) -> list[float]:
            found = [await move()]
            while time.perf_counter() < end:
                found.append(await move())
            return found

        several = await asyncio.gather(*map(go_on, moves))
        waits = [seconds for found in several for seconds in found]
        cpu_ms = (self._end.cpu_seconds - spent) * 1000 / len(waits)
        return _Rush(waits, len(waits) / (time.perf_counter() - began), cpu_ms)


def _waits(name: str, seconds: list[float]) -> Figures:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"{name}_p50_ms": statistics.median(seconds) * 1000, f"{name}_p99_ms": cuts[PERCENT - 1] * 1000}


def _beside(everything: Mapping[str, Figures], database: str) -> dict[str, object]:
    ours, bare = everything[f"{database} ours"], everything[f"{database} bare"]
    return {name: {"ours": ours[name], "bare": bare[name], "ratio": ratio(ours, bare, name)} for name in ours}
