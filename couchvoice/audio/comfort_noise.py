"""Comfort noise: what fills a pause of the network, as loud as the far end's own background was.

Law: never louder than what is taken for silence everywhere else, so that nobody is said to speak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOUDEST_RMS = 20.0  # of 32767, -64 dBFS: its peaks stay below what counts as audible
RISE = 1.02  # per frame: how fast the estimate follows a background that has become louder

_SEED = 1  # any: the same talk sounds the same twice


class ComfortNoise:
    """Fed with what is played, it knows the quietest of it."""

    def __init__(self) -> None:
        self._rms = 0.0
        self._random = np.random.default_rng(_SEED)
        self._last = 0.0

    def observe(self, samples: NDArray[np.int16]) -> None:
        """A frame of the far end's sound."""
        x = samples.astype(np.float32)
        rms = float(np.sqrt(np.mean(x * x)))
        self._rms = min(rms, max(self._rms, 1.0) * RISE, LOUDEST_RMS)

    def make(self, samples: int) -> NDArray[np.int16]:
        """So much of it. A neighbour's mean softens it: white noise hisses."""
        white = np.concatenate([[self._last], self._random.standard_normal(samples)])
        self._last = float(white[-1])
        soft: NDArray[np.floating] = (white[1:] + white[:-1]) / np.sqrt(2) * self._rms
        rounded: NDArray[np.floating] = np.rint(soft)
        return rounded.astype(np.int16)
