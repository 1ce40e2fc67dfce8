"""Rates: a stream of one-channel samples from one rate to another, by FFmpeg's resampler.

It holds back 16 samples: 2 ms at 8 kHz, 1 ms at 16 kHz, a third at 48 kHz (soxr: 10 to 29 ms).

Law: no sample is lost or invented between the first push and the flush: the durations are equal.
"""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import silence

HOLD_BACK_MS = 2  # ms, at 8 kHz

_PULL_MS = 10  # ms asked for at a time: what a card's block may wait for


class Resampler:
    """Push samples in, get what is ready. After a flush it begins a new stream."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        self._from_rate = from_rate
        self._to_rate = to_rate
        self._resampler = self._fresh()

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """What is ready by now: none, less or more than was pushed."""
        if self._from_rate == self._to_rate or not samples.size:
            return samples
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._from_rate
        return joined(self._resampler.resample(frame))

    def flush(self) -> NDArray[np.int16]:
        """The rest."""
        rest = joined(self._resampler.resample(None))
        self._resampler = self._fresh()
        return rest

    def _fresh(self) -> av.AudioResampler:
        return av.AudioResampler(format="s16", layout="mono", rate=self._to_rate)


class PulledResampler:
    """A resampler for a consumer that asks for an exact number of samples, as a card's callback does."""

    def __init__(self, pull: Callable[[int], NDArray[np.int16]], from_rate: int, to_rate: int) -> None:
        self._pull = pull
        self._block = from_rate * _PULL_MS // 1000
        self._resampler = Resampler(from_rate, to_rate)
        self._ready = silence(0)

    def pull(self, samples: int) -> NDArray[np.int16]:
        """Exactly that many, at ``to_rate``."""
        while self._ready.size < samples:
            self._ready = np.concatenate([self._ready, self._resampler.push(self._pull(self._block))])
        taken, self._ready = self._ready[:samples], self._ready[samples:]
        return taken


def joined(frames: list[av.AudioFrame]) -> NDArray[np.int16]:
    """The samples of one-channel 16 bit frames in a row."""
    return np.concatenate([silence(0), *(frame.to_ndarray()[0].astype(np.int16, copy=False) for frame in frames)])
