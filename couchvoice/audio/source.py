"""Where the user's sound comes from: the seam that a microphone and a WAV file share.

Law: whoever reads gets exactly 20 ms of 48 kHz sound each 20 ms, from open to close, whatever happens behind.
"""

from __future__ import annotations

from typing import Protocol

from couchvoice.audio.frames import AudioFrame


class Source(Protocol):
    """A stream of the user's sound."""

    async def open(self) -> None:
        """Acquire the device or the file. Raises AudioDeviceError or ConfigError."""

    async def read(self) -> AudioFrame:
        """The next frame, FRAME_SAMPLES long, paced in real time; silence where there is nothing. Never raises."""

    async def finished(self) -> None:
        """Return when the last sample has been handed out. A microphone never finishes."""

    async def close(self) -> None:
        """Release. Idempotent."""
