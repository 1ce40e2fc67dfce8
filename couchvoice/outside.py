"""Work that the event loop cannot see: a thread's, the database's. Whoever waits for it says so here.

An ordinary loop does not care. One whose clock does not wait (``scenario.media_clock``) would let hours pass meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable


@runtime_checkable
class HoldsTime(Protocol):
    """A loop that wants to know."""

    def outside_work(self) -> AbstractContextManager[None]:
        """Until it is left, the loop's time does not go on by itself."""


def outside_work() -> AbstractContextManager[None]:
    """Around an ``await`` for what this loop has no timer, no socket and no executor for."""
    loop = asyncio.get_running_loop()
    return loop.outside_work() if isinstance(loop, HoldsTime) else nullcontext()
