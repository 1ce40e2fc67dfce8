"""Served: our server or the baseline as a process of its own, with its CPU time and its weight as the kernel has them.

What synthesizes speech is a child process of ours: once it has ended, its CPU time counts as well. Linux only.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.child import FIRST_TALK, Child, python
from tests.bench.cpu_time import cpu_seconds

MAX_SESSIONS = "1000"
KB_PER_MB = 1000 / 1.024

OURS = ("-m", "couchvoice", "serve", "realtime", "--port", "0", "--max-sessions", MAX_SESSIONS)
RECORDINGS = ("--recordings", str(FIRST_TALK.parent))


@dataclass(frozen=True, slots=True)
class Served:
    """``idle`` and ``talking`` take offers, ``socket`` takes WebSockets; ``echo`` sends a call's sound back."""

    pid: int
    idle: str
    talking: str
    socket: str
    echo: str = ""

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    @property
    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (size,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        return int(size) / KB_PER_MB

    def pin(self, cores: set[int]) -> None:
        """All its threads, and what they start from now on."""
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


@asynccontextmanager
async def ours(state: Path) -> AsyncIterator[Served]:
    """The fixtures' recordings are recognized, so that it is the same answer each time."""
    async with python(*OURS, *RECORDINGS, state=state) as child:
        try:
            place = await _announced(child)
            calls = f"http://{place}/v1/realtime/calls"
            yield Served(child.pid, calls, calls, f"ws://{place}/v1/realtime?model=gpt-realtime")
        finally:
            child.terminate()


@asynccontextmanager
async def bare() -> AsyncIterator[Served]:
    async with python("-m", "tests.bench.answerer") as child:
        fact = await child.fact()
        offers = f"http://{fact['offers']}"
        yield Served(child.pid, f"{offers}/silence", f"{offers}/question", f"ws://{fact['echo']}", f"{offers}/echo")


async def _announced(child: Child) -> str:
    """Host and port of ``ready http://127.0.0.1:8766``."""
    return (await child.line()).removeprefix("ready http://")
