"""What the event loop cannot see: work of a thread or the database, a library with a clock of its own.

An ordinary loop does not care. One whose clock does not wait (``scenario.media_clock``) would let hours pass
meanwhile, so whoever awaits such a thing says so here.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable


@runtime_checkable
class KeepsTime(Protocol):
    """A loop that wants to know, for its time is not that of the machine."""

    def outside_work(self) -> AbstractContextManager[None]:
        """Until it is left, the loop's time does not go on by itself."""


def outside_work() -> AbstractContextManager[None]:
    """Around an ``await`` for what the loop has neither a timer nor a socket nor an executor for."""
    loop = asyncio.get_running_loop()
    return loop.outside_work() if isinstance(loop, KeepsTime) else nullcontext()


def let_really_pass(seconds: float) -> None:
    """For a library that counts real seconds, when the loop has counted them. An ordinary loop has waited for them."""
    if seconds > 0 and isinstance(asyncio.get_running_loop(), KeepsTime):
        time.sleep(seconds)
