"""Frames of one size: whatever a source hands out leaves as 20 ms of 48 kHz, one after the other.

aiortc gives all packets of a longer frame one RTP timestamp (of frames of 100 ms nothing arrives), and a codec takes
whole frames only. Law: no sample is lost, and none invented but a short lead-in before sound of another rate; what
came in one piece leaves in real time, so that no far end has to buffer it.
"""

from __future__ import annotations

import asyncio

import numpy as np

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import FRAME_SECONDS
from couchvoice.audio.resample import HOLD_BACK_MS, Resampler
from couchvoice.audio.source import Source

_LEAD_IN = HOLD_BACK_MS * SAMPLE_RATE // 1000


class Reframer:
    """``push`` any frame, ``pull`` even ones."""

    def __init__(self) -> None:
        self._rate = SAMPLE_RATE
        self._resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)
        self._ready = silence(0)

    def push(self, frame: AudioFrame) -> None:
        """Raises ValueError for what is no frame: other samples than int16, or no rate."""
        samples = frame.samples
        if not isinstance(samples, np.ndarray) or samples.dtype != np.int16 or samples.ndim != 1:
            described = (
                f"{samples.dtype} of shape {samples.shape}" if isinstance(samples, np.ndarray) else type(samples)
            )
            raise ValueError(f"a frame holds one channel of int16 samples, not {described}")
        if frame.rate <= 0:
            raise ValueError(f"a frame has a rate in Hz, not {frame.rate}")
        if frame.rate != self._rate:
            self._change_rate(frame.rate)
        fresh = self._resampler.push(samples)
        self._ready = np.concatenate([self._ready, fresh]) if self._ready.size else fresh

    def pull(self) -> AudioFrame | None:
        """20 ms of 48 kHz, or None while there is less."""
        if self._ready.size < FRAME_SAMPLES:
            return None
        samples, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        return AudioFrame(samples, SAMPLE_RATE)

    def _change_rate(self, rate: int) -> None:
        parts = [self._ready]
        if self._rate != SAMPLE_RATE:
            parts.append(self._resampler.flush())
        if rate != SAMPLE_RATE:
            # What a resampler holds back would make each frame of 20 ms wait for the next one.
            parts.append(silence(_LEAD_IN))
        self._ready = np.concatenate(parts)
        self._rate, self._resampler = rate, Resampler(rate, SAMPLE_RATE)


class EvenReader:
    """Hands out what a source reads, in even frames."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reframer = Reframer()
        self._due = 0.0  # when the next frame may leave

    async def read(self) -> AudioFrame:
        """Raises what the source raises, and ValueError for what is no frame."""
        loop = asyncio.get_running_loop()
        while (frame := self._reframer.pull()) is None:
            given = await self._source.read()
            if given.samples.size:
                self._due = loop.time()  # it paces itself
            else:
                given = AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE)
                self._due = max(self._due, loop.time())
            self._reframer.push(given)
        if (early := self._due - loop.time()) > 0:
            await asyncio.sleep(early)
        self._due += FRAME_SECONDS
        return frame
