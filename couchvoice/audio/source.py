"""Where the user's sound comes from: the seam that a microphone and a WAV file share.

Law: whoever reads gets sound in real time, from open to close, whatever happens behind.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Pace


class Source(Protocol):
    """A stream of the user's sound."""

    async def open(self) -> None:
        """Acquire the device or the file. Raises AudioDeviceError or ConfigError."""

    async def read(self) -> AudioFrame:
        """The next frame, paced in real time; silence where there is nothing. Never raises.

        int16, one channel, of any length and rate (20 ms of 48 kHz cost least); an empty one is 20 ms of silence.
        """

    async def finished(self) -> None:
        """Return when the last sample has been handed out. A microphone never finishes."""

    async def close(self) -> None:
        """Release. Idempotent."""


class SilentSource:
    """Says nothing, for ever: for a talk that is typed."""

    def __init__(self) -> None:
        self._pace = Pace()

    async def open(self) -> None:
        pass

    async def read(self) -> AudioFrame:
        await self._pace.wait()
        return AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE)

    async def finished(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass
