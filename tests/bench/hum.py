"""Hum: the sound of all ends of a benchmark's call, a tone in real time that costs next to nothing to make.

Law: it shares no code with couchvoice.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from numpy.typing import NDArray

RATE = 48_000  # Hz
FRAME = RATE // 50  # samples
PITCH = 200  # Hz: whole periods in a frame
LEVEL = 0.1 * 32767  # -20 dB


class Hum:
    """The clock starts with the first frame."""

    def __init__(self) -> None:
        self.samples: NDArray[np.int16] = (LEVEL * np.sin(2 * np.pi * PITCH * np.arange(FRAME) / RATE)).astype(np.int16)
        self.count = 0  # samples handed out before these
        self._start: float | None = None

    async def next(self) -> NDArray[np.int16]:
        """The same 20 ms, when they are due."""
        now = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = now
        else:
            self.count += FRAME
        await asyncio.sleep(self._start + self.count / RATE - now)
        return self.samples


class HumTrack(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._hum = Hum()

    async def recv(self) -> av.AudioFrame:
        samples = await self._hum.next()
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._hum.count
        return frame
