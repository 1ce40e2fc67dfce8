"""Sound at the rate at which the local server listens: 16 kHz, that of the detector's model and the recognizers.

Law: the clock of what comes out is that of what goes in, to 1 ms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.resample import Resampler

RATE = 16_000  # Hz


class Downsampler:
    """A stream of frames as samples at RATE. A frame of another rate than the last begins a new stream."""

    def __init__(self) -> None:
        self._rate = RATE
        self._resampler = Resampler(RATE, RATE)

    def push(self, frame: AudioFrame) -> NDArray[np.int16]:
        """What is ready by now."""
        if frame.rate != self._rate:
            self._rate, self._resampler = frame.rate, Resampler(frame.rate, RATE)
        return self._resampler.push(frame.samples)


def resample(frame: AudioFrame, rate: int) -> AudioFrame:
    """A whole sound at another rate."""
    if frame.rate == rate or not frame.samples.size:
        return AudioFrame(frame.samples, rate)
    resampler = Resampler(frame.rate, rate)
    return AudioFrame(np.concatenate([resampler.push(frame.samples), resampler.flush()]), rate)
