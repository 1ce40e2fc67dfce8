"""Where the assistant's sound goes: the seam that a loudspeaker, a WAV file and nothing at all share.

Law: from open to close a sink pulls in real time, by its own clock, so that the playout buffer's positions are
what a listener hears.
"""

from __future__ import annotations

from typing import Protocol

from couchvoice.audio.frames import FRAME_SAMPLES
from couchvoice.audio.pacing import Ticker
from couchvoice.audio.playout import PlayoutBuffer


class Sink(Protocol):
    """A consumer of the assistant's sound."""

    async def open(self, playout: PlayoutBuffer) -> None:
        """Start pulling. Raises AudioDeviceError or ConfigError."""

    async def close(self) -> None:
        """Stop pulling and release. Idempotent."""


class NullSink:
    """Pulls and throws away: for a talk that nobody listens to."""

    def __init__(self) -> None:
        self._ticker: Ticker | None = None

    async def open(self, playout: PlayoutBuffer) -> None:
        self._ticker = Ticker(lambda frames: _discard(playout, frames))
        self._ticker.start()

    async def close(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()


def _discard(playout: PlayoutBuffer, frames: int) -> None:
    playout.pull(frames * FRAME_SAMPLES)
