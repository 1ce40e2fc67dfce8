"""``memory``: what a client weighs in the middle of a talk, with sound both ways.

The command and the library with both ends in other processes, beside a bare aiortc script; and the command with both
ends embedded. Law: all are read from outside, by the kernel's figures (Linux only), so that nobody weighs the scales.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench.child import FIRST_TALK, Child, far_end, python
from tests.bench.rounds import Figures, medians, ratio, take_turns

ROUNDS = 3
QUICK_ROUNDS = 1
SECONDS = 8  # of talk in each round; first-talk.wav speaks from its second second on
QUICK_SECONDS = 3
KIB_PER_MB = 1000 / 1.024
GOAL = {"ratio": 1.3}

TALK = ("-m", "couchvoice", "talk", "--input", str(FIRST_TALK), "--output", "none", "--json")


def measure(*, quick: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as state:
        return asyncio.run(_measure(Path(state), quick=quick))


async def _measure(state: Path, *, quick: bool) -> dict[str, object]:
    seconds = QUICK_SECONDS if quick else SECONDS

    def command(*arguments: str) -> Callable[[], Awaitable[Figures]]:
        async def run() -> Figures:
            async with python(*TALK, *arguments, state=state) as child:
                await child.fact(type="state", state="listening")
                figures = await _weigh(child, seconds)
                child.terminate()
            return figures

        return run

    def program(name: str) -> Callable[[], Awaitable[Figures]]:
        async def run() -> Figures:
            async with python("-m", f"tests.bench.{name}", url) as child:
                await child.fact()
                return await _weigh(child, seconds)

        return run

    async with far_end() as url:
        remote = ("--backend", url, "--realtime-url", f"{url}/v1")
        contestants = {
            "command": command(*remote),
            "library": program("dial"),
            "bare": program("bare"),
            "embedded": command(),
        }
        figures = await take_turns(contestants, QUICK_ROUNDS if quick else ROUNDS)
    return {
        **figures,
        "ratio": ratio(figures["command"], figures["bare"], "rss_mb"),
        "library_ratio": ratio(figures["library"], figures["bare"], "rss_mb"),
        "embedded_ratio": ratio(figures["embedded"], figures["bare"], "rss_mb"),
        "goal": GOAL,
    }


async def _weigh(child: Child, seconds: int) -> Figures:
    """The median of one reading a second."""
    readings = []
    for _ in range(seconds):
        await asyncio.sleep(1)
        readings.append(_read(child.pid))
    return medians(readings)


def _read(pid: int) -> Figures:
    """USS is what would be freed if it ended; PSS shares each page out among those who use it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", rollup, re.MULTILINE)}
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return {"rss_mb": kib["Rss"] / KIB_PER_MB, "pss_mb": kib["Pss"] / KIB_PER_MB, "uss_mb": private / KIB_PER_MB}
