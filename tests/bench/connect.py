"""``connect``: how long from connect() to the open data channel, on this machine's own addresses.

Ours and a bare aiortc script, in turns: many calls of one warm process, and the first call of fresh processes.
Law: both make the same two requests to the same server, and no call begins before the last one is cleared away.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import httpx

from tests.bench.bare import BareCall
from tests.bench.child import far_end, python
from tests.bench.dial import OurCall
from tests.bench.rounds import Figures, medians, ratio, take_turns

ROUNDS = 41
QUICK_ROUNDS = 15
FRESH_ROUNDS = 7
QUICK_FRESH_ROUNDS = 3
STUN_TIMEOUT = 12.0  # seconds
GOAL = {"ratio": 1.1, "open_ms": 60}


class Call(Protocol):
    open_ms: float
    ready_ms: float

    async def connect(self) -> None: ...

    async def close(self) -> None: ...


def measure(*, quick: bool) -> dict[str, object]:
    return asyncio.run(_measure(quick=quick))


async def _measure(*, quick: bool) -> dict[str, object]:
    async with far_end() as url, httpx.AsyncClient() as http:

        def warm(new_call: Callable[[], Call]) -> Callable[[], Awaitable[Figures]]:
            async def run() -> Figures:
                figures = await _time(new_call())
                (await http.get(f"{url}/idle")).raise_for_status()
                return figures

            return run

        def fresh(program: str) -> Callable[[], Awaitable[Figures]]:
            return lambda: _time_program(program, url)

        turns = {
            "ours": warm(lambda: OurCall(url)),
            "bare": warm(lambda: BareCall(url, [])),
        }
        one = await take_turns(turns, QUICK_ROUNDS if quick else ROUNDS)
        programs = {"ours": fresh("dial"), "bare": fresh("bare")}
        many = await take_turns(programs, QUICK_FRESH_ROUNDS if quick else FRESH_ROUNDS)
        stun = None if quick else await _time_default_stun(url)
    return {
        **one,
        "ratio": ratio(one["ours"], one["bare"], "open_ms"),
        "ready_ratio": ratio(one["ours"], one["bare"], "ready_ms"),
        "goal": GOAL,
        "fresh_process": many | {"ratio": ratio(many["ours"], many["bare"], "open_ms")},
        "stock_default_stun": stun,
    }


async def _time(call: Call) -> Figures:
    await call.connect()
    await call.close()
    return {"open_ms": call.open_ms, "ready_ms": call.ready_ms}


async def _time_program(program: str, url: str) -> Figures:
    async with python("-m", f"tests.bench.{program}", url) as child:
        fact = await child.fact()
        whole = (time.perf_counter() - child.born) * 1000
    return {"open_ms": fact["open_ms"], "ready_ms": fact["ready_ms"], "process_ms": whole}


async def _time_default_stun(url: str) -> Figures | None:
    """One call with aiortc's default: a public STUN server. None where that does not end in time.

    It costs 5 s where the server's name is known and the server is silent, nothing where the name is unknown.
    """
    call = BareCall(url, None)
    try:
        async with asyncio.timeout(STUN_TIMEOUT):
            return medians([await _time(call)])
    except TimeoutError:
        print(f"the default STUN server: no channel within {STUN_TIMEOUT:g} s", file=sys.stderr)
        return None
