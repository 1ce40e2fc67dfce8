"""How many calls a server holds before its frames are late.

Calls are added step by step. A step is held when at most LATE_SHARE of all frames that came in its window came more
than LATE after their time on the RTP timeline; one that is not is looked at again, for a neighbour of the machine may
have been busy. Law: the times are the kernel's at the callers' sockets, so that busy callers make no frame late.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass

import httpx

from tests.bench.caller import Caller
from tests.bench.served import Served
from tests.bench.utterance import FRAMES, FRAMES_PER_SECOND

LATE = 0.040  # seconds
LATE_SHARE = 0.01
SETTLE = 0.5  # seconds after the last call was opened: opening one costs more than holding it
SPREAD = 0.618  # of the silence, from where one caller begins to where the next one does


@dataclass(frozen=True, slots=True)
class Climb:
    """From so many calls, so much more in each step, up to so many.

    A step is looked at for ``window`` seconds, and so often before it is given up.
    """

    first: int
    growth: float
    limit: int
    window: float
    looks: int


async def calls_held(end: Served, url: str, packets: list[bytes], climb: Climb) -> int:
    """The largest step that was held, 0 when the first was not; it may hold more than the limit."""
    held, wanted = 0, climb.first
    callers: list[Caller] = []
    async with httpx.AsyncClient() as http:
        try:
            while wanted <= climb.limit:
                await _open(callers, wanted, http, url, packets)
                if not await _is_held(end, callers, climb):
                    break
                held, wanted = wanted, max(wanted + 1, round(wanted * climb.growth))
        except (TimeoutError, httpx.TransportError):
            print(f"    call {len(callers)} is not taken any more", file=sys.stderr)
        finally:
            await asyncio.gather(*(caller.close() for caller in callers))
    return held


async def _open(callers: list[Caller], wanted: int, http: httpx.AsyncClient, url: str, packets: list[bytes]) -> None:
    while len(callers) < wanted:
        caller = Caller(packets, first=_first(len(callers), len(packets)))
        callers.append(caller)
        await caller.connect(http, url)


def _first(number: int, packets: int) -> int:
    """Nobody begins in the middle of the question: what is cut is answered otherwise, and at another price."""
    sounding = FRAMES if packets > FRAMES else 0
    return sounding + round(number * SPREAD * (packets - sounding)) % (packets - sounding)


async def _is_held(end: Served, callers: list[Caller], climb: Climb) -> bool:
    for _ in range(climb.looks):
        await asyncio.sleep(SETTLE)
        spent, started = end.cpu_seconds, time.perf_counter()
        share = await _late_share(callers, climb.window)
        # A core that was not used up and frames that were late: somebody blocks the loop, or a neighbour had the core.
        busy = (end.cpu_seconds - spent) / (time.perf_counter() - started)
        print(f"    {len(callers):>3} calls: {share:.2%} of the frames late, {busy:.0%} of a core", file=sys.stderr)
        if share <= LATE_SHARE:
            return True
    return False


async def _late_share(callers: list[Caller], window: float) -> float:
    """Frames that have not come at all are late."""
    since, clock = time.time(), time.monotonic()
    await asyncio.sleep(window)
    due = (time.monotonic() - clock) * FRAMES_PER_SECOND * len(callers)
    on_time = sum(late <= LATE for caller in callers for late in caller.late_since(since))
    return max(0.0, 1 - on_time / due)
