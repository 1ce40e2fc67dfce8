"""The user's sound as a script has it: silence, and between it what is said when it is said.

Law: paced like a microphone; what is said leaves whole and in order.
"""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Pace


class ScriptedSource:
    """A Source."""

    def __init__(self) -> None:
        self._ready = silence(0)
        self._pace = Pace()
        self._said = asyncio.Event()
        self._closed = False

    async def say(self, samples: NDArray[np.int16]) -> None:
        """Return when the last sample (of 48 kHz) has left, or the talk is over."""
        if self._closed or not samples.size:
            return
        self._ready = np.concatenate([self._ready, samples])
        self._said.clear()
        await self._said.wait()

    async def open(self) -> None:
        pass

    async def read(self) -> AudioFrame:
        await self._pace.wait()
        samples, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        if not self._ready.size:
            self._said.set()
        return AudioFrame(np.concatenate([samples, silence(FRAME_SAMPLES - samples.size)]), SAMPLE_RATE)

    async def finished(self) -> None:
        await asyncio.Event().wait()  # there is always something that could be said

    async def close(self) -> None:
        self._closed = True
        self._said.set()
