"""A gain that changes without a click, and levels.

Law: a new gain is reached within FADE_MS, and from there on every sample has it.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence

FADE_MS = 5  # ms from one gain to the next
QUIETEST = -100.0  # dBFS, stands for the level of zeros

_FADE = FADE_MS * SAMPLE_RATE // 1000
_FULL_SCALE = 32768.0


class Fader:
    """Holds the gain, 0 to 1, between frames; it begins open."""

    def __init__(self) -> None:
        self._gain = 1.0

    def turn(self, frame: AudioFrame, gain: float) -> AudioFrame:
        """The frame (48 kHz), with the gain reached in its first 5 ms."""
        before, self._gain = self._gain, gain
        if before == gain == 1.0:
            return frame
        if before == gain == 0.0:
            return AudioFrame(silence(frame.samples.size), frame.rate)
        gains = np.full(frame.samples.size, gain, dtype=np.float32)
        fade = gains[:_FADE]
        fade[:] = np.linspace(before, gain, fade.size, dtype=np.float32)
        return AudioFrame((frame.samples * gains).astype(np.int16), frame.rate)


def loudest(levels: Collection[float], share: float) -> float:
    """The level that so large a share of them does not exceed. numpy.quantile takes ten times as long for so few."""
    return sorted(levels)[int(share * (len(levels) - 1))]


def level(samples: NDArray[np.int16]) -> float:
    """The RMS in dBFS (0: a square wave of full scale); QUIETEST for nothing."""
    x = samples.astype(np.float32) / _FULL_SCALE
    power = float(x @ x) / max(1, x.size)
    return max(QUIETEST, 10 * math.log10(power)) if power > 0 else QUIETEST
