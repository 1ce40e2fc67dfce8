"""A level meter: how loud the last moment was, in dBFS.

Law: whoever carries sound only leaves a reference here; what it costs is paid by whoever asks, as often as it draws.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SILENCE_DB = -96.0  # dBFS; the floor of 16 bit sound, and of the meter

_BLOCKS = 8  # of 10 or 20 ms: about one frame of a view that is drawn ten times a second
_FULL_SCALE = 32768.0


class Levels(NamedTuple):
    """RMS in dBFS, SILENCE_DB to 0: what leaves for the provider, and what is played."""

    input: float
    output: float


class LevelMeter:
    """Any thread adds, any other asks."""

    def __init__(self) -> None:
        self._blocks: deque[NDArray[np.int16]] = deque(maxlen=_BLOCKS)

    def add(self, samples: NDArray[np.int16]) -> None:
        """The samples are not copied: nobody may write to them any more."""
        self._blocks.append(samples)

    def level(self) -> float:
        """RMS in dBFS."""
        blocks = self._blocks.copy()
        count = sum(block.size for block in blocks)
        power = sum(float(np.dot(x, x)) for x in (block.astype(np.float32) for block in blocks))
        if not power:
            return SILENCE_DB
        return max(SILENCE_DB, 10 * math.log10(power / count / _FULL_SCALE**2))
