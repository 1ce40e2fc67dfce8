"""How long the assistant could still be heard after somebody spoke over it.

The core says when playback must end; when it did end, only the card knows. Law: each interruption is told once, with
its figure as soon as the loudspeaker is silent, without one when nobody can tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from couchvoice.core.notices import Interrupted

SILENCE_TIMEOUT = 0.5  # seconds; a card that has not come for its next block by then tells nothing


class BargeInClock:
    """``tell`` gets each interruption, measured. To be used on the event loop."""

    def __init__(self, tell: Callable[[Interrupted], None]) -> None:
        self._tell = tell
        self._waiting: list[tuple[Interrupted, float]] = []
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, interruption: Interrupted, now: float) -> None:
        """Playback was told to end just now; ``now`` is loop time."""
        self._waiting.append((interruption, now))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(now + SILENCE_TIMEOUT, self.give_up)

    def silenced(self, at: float) -> None:
        """The last audible sample went to the card then, loop time."""
        for interruption, since in self._take():
            self._tell(replace(interruption, stop_ms=round(max(0.0, at - since) * 1000, 1)))

    def give_up(self) -> None:
        """Nobody will tell any more. Idempotent."""
        for interruption, _ in self._take():
            self._tell(interruption)

    def _take(self) -> list[tuple[Interrupted, float]]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        return waiting
