"""Half duplex: while the assistant can be heard, the microphone is closed.

It needs nothing but the reference, and no echo passes whatever the room is like. The price: nobody can interrupt by
voice; a typed line does. Law: open again HOLD_MS after the last audible sample, by the count of captured samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.fader import Fader
from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.reference import Audibility, Reference


class HalfDuplex:
    """An EchoControl."""

    def __init__(self) -> None:
        self._reference = Reference()
        self._audibility = Audibility()
        self._fader = Fader()

    def played(self, samples: NDArray[np.int16]) -> None:
        self._reference.played(samples)

    def clean(self, frame: AudioFrame) -> AudioFrame:
        captured = frame.samples.size
        audible = self._audibility.hear(self._reference.take(captured), captured)
        return self._fader.turn(frame, 0.0 if audible else 1.0)
