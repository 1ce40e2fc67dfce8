"""Volume: 0 to 200 percent of what came in.

Louder than the card can is no louder: a block whose peak would be clipped is scaled to fit, and the gain comes back
slowly, so that loud speech is turned down rather than torn.
Law: the gain never jumps: from block to block it moves in a line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.errors import ConfigError

FULL_VOLUME = 100.0  # percent
MAX_VOLUME = 200.0  # percent
RECOVERY = 1.02  # per block of 10 ms: from half to full within 350 ms

_MAX_SAMPLE = 32767


class Volume:
    """Raises ConfigError for a percentage that is none. ``percent`` is written by the loop, the rest by the card."""

    def __init__(self, percent: float = FULL_VOLUME) -> None:
        self.percent = percent
        self._gain = self._wanted

    @property
    def percent(self) -> float:
        return self._wanted * FULL_VOLUME

    @percent.setter
    def percent(self, percent: float) -> None:
        if not 0 <= percent <= MAX_VOLUME:  # NaN is not, either
            raise ConfigError(f"a volume of {percent:g} %: choose 0 to {MAX_VOLUME:g}")
        self._wanted = percent / FULL_VOLUME

    def apply(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """The block, louder or quieter; at 100 percent as it is."""
        if self._wanted == self._gain == 1.0 or not samples.size:
            return samples
        peak = max(int(samples.max()), -int(samples.min()), 1)
        gain = min(self._wanted, _MAX_SAMPLE / peak, max(1.0, self._gain * RECOVERY))
        # Clipped all the same where a peak stands at the head of the block in which the gain falls.
        scaled = samples * np.linspace(self._gain, gain, samples.size, dtype=np.float32)
        self._gain = gain
        clipped: NDArray[np.floating] = np.clip(np.rint(scaled), -_MAX_SAMPLE - 1, _MAX_SAMPLE)
        return clipped.astype(np.int16)
