"""Real time: which frame is due when.

Law: deadlines are absolute, so that waking late never adds up; who comes late gets what is due at once, but
never more than CATCH_UP_LIMIT of it: beyond, the timeline begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from couchvoice.audio.frames import FRAME_MS

FRAME_SECONDS = FRAME_MS / 1000  # s
CATCH_UP_LIMIT = 2.0  # s; what the playout buffer holds, older sound is lost anyway


class Schedule:
    """One deadline per frame, the first one at ``start``. No clock of its own: time is an argument."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._claimed = 0

    @property
    def deadline(self) -> float:
        """When the next frame is due."""
        return self._start + self._claimed * FRAME_SECONDS

    def claim(self, now: float) -> None:
        """The next frame is taken."""
        self._forgive(now)
        self._claimed += 1

    def claim_due(self, now: float) -> int:
        """Take all frames that are due, and tell how many."""
        self._forgive(now)
        due = 0
        while self.deadline <= now:
            self._claimed += 1
            due += 1
        return due

    def _forgive(self, now: float) -> None:
        if now - self.deadline > CATCH_UP_LIMIT:
            self._start, self._claimed = now - CATCH_UP_LIMIT, 0


class Pace:
    """Real time for a reader: the first ``wait`` returns at once and starts the clock, the others frame by frame."""

    def __init__(self) -> None:
        self._schedule: Schedule | None = None

    async def wait(self) -> None:
        """Return when the next frame is due."""
        loop = asyncio.get_running_loop()
        self._schedule = self._schedule or Schedule(loop.time())
        await asyncio.sleep(max(0.0, self._schedule.deadline - loop.time()))
        self._schedule.claim(loop.time())


class Ticker:
    """Calls ``tick(frames)`` on the event loop as frames fall due. A timer, not a task: nobody need await it."""

    def __init__(self, tick: Callable[[int], None]) -> None:
        self._tick = tick
        self._schedule: Schedule | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The first frame is due one frame from now, when its time has passed."""
        self._schedule = Schedule(asyncio.get_running_loop().time() + FRAME_SECONDS)
        self._wind(self._schedule)

    def stop(self) -> None:
        """Idempotent. Ticks for what has fallen due since the last time."""
        if self._timer is None or self._schedule is None:
            return
        self._timer.cancel()
        self._timer = None
        self._tick(self._schedule.claim_due(asyncio.get_running_loop().time()))

    def _wind(self, schedule: Schedule) -> None:
        self._timer = asyncio.get_running_loop().call_at(schedule.deadline, self._fire, schedule)

    def _fire(self, schedule: Schedule) -> None:
        frames = schedule.claim_due(asyncio.get_running_loop().time())
        self._wind(schedule)
        self._tick(frames)
