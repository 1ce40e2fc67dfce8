"""An event loop whose time does not pass but jumps: what waits for a timer waits no longer than the machine needs."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.skipped += max(0.0, timeout or 0.0)
        return super().select(0)


class _SkippingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Skipping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.skipped


def run_skipping(main: Coroutine[None, None, T]) -> T:
    """Run to the end on a loop that skips its waits; its clock begins at zero."""
    with asyncio.Runner(loop_factory=_SkippingLoop) as runner:
        return runner.run(main)
