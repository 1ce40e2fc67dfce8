"""Sound that comes piece by piece, laid on a timeline.

Law: nothing that came is lost or moved forward; a hole longer than HOLE is silence of its length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, silence

HOLE = 0.1  # seconds; less is a timer that woke late, and the sound belongs together


class Tape:
    def __init__(self) -> None:
        self._pieces: list[NDArray[np.int16]] = []
        self._length = 0

    def put(self, samples: NDArray[np.int16], at: float) -> None:
        """``at``: when its first sample sounds, in seconds on the timeline."""
        missing = round(at * SAMPLE_RATE) - self._length
        if missing > HOLE * SAMPLE_RATE or (missing > 0 and not self._pieces):
            self._append(silence(missing))
        self._append(samples.copy())

    def samples(self) -> NDArray[np.int16]:
        """All of it, from zero on."""
        return np.concatenate([silence(0), *self._pieces])

    def _append(self, samples: NDArray[np.int16]) -> None:
        self._pieces.append(samples)
        self._length += samples.size
