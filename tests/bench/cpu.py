"""``cpu``: what a session costs while sound goes both ways, in percent of a core.

The library as an application embeds it, beside a bare aiortc script: the same far end, the same hum as microphone, and
both throw away what they have decoded. Law: CPU time is read from outside, by the kernel's figures (Linux only), and
both hold their calls at the same time, for CPU time is not wall time, but the clock of the processor changes.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial

from tests.bench.child import Child, far_end, python
from tests.bench.cpu_time import cpu_seconds
from tests.bench.rounds import Figures, ratio, take_turns

ROUNDS = 5
QUICK_ROUNDS = 2
SECONDS = 20.0  # of call in each round
QUICK_SECONDS = 4.0
SETTLE = 2.0  # s after the call was set up, whose cost is not asked for here
GOAL = {"ratio": 0.75}


def measure(*, quick: bool) -> dict[str, object]:
    return asyncio.run(_measure(QUICK_ROUNDS if quick else ROUNDS, QUICK_SECONDS if quick else SECONDS))


async def _measure(rounds: int, seconds: float) -> dict[str, object]:
    async with AsyncExitStack() as stack:
        contestants = {}
        for name, program in {"library": "dial", "bare": "bare"}.items():
            # An end each: what one caller's far end does late is not the other's burden.
            url = await stack.enter_async_context(far_end())
            caller = await stack.enter_async_context(python("-m", f"tests.bench.{program}", url))
            await caller.fact()
            contestants[name] = partial(_load, caller, seconds)
        await asyncio.sleep(SETTLE)
        figures = await take_turns(contestants, rounds)
    return {**figures, "ratio": ratio(figures["library"], figures["bare"], "percent_of_core"), "goal": GOAL}


async def _load(caller: Child, seconds: float) -> Figures:
    began, spent = time.perf_counter(), cpu_seconds(caller.pid)
    await asyncio.sleep(seconds)
    return {"percent_of_core": 100 * (cpu_seconds(caller.pid) - spent) / (time.perf_counter() - began)}
