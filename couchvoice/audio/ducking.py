"""Ducking: while the assistant can be heard, the microphone passes only who is clearly louder than the echo.

Not a canceller: what passes holds the echo, too. Law: until enough was learnt of the echo, nothing passes while the
assistant can be heard.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.echo_level import EchoLevel
from couchvoice.audio.fader import Fader, level
from couchvoice.audio.frames import FRAME_MS, AudioFrame
from couchvoice.audio.reference import Audibility, Reference

MARGIN = 6.0  # dB over the loudest echo to be expected: that is a person
PROOF_MS = 60  # ms in a row over the margin; a clatter is shorter
PASSING_MS = 400  # ms open after a person was heard: a pause between two words

_PROOF = PROOF_MS // FRAME_MS
_PASSING = PASSING_MS // FRAME_MS


class Ducking:
    """An EchoControl."""

    def __init__(self) -> None:
        self._reference = Reference()
        self._audibility = Audibility()
        self._echo = EchoLevel()
        self._fader = Fader()
        self._proof = 0  # frames in a row
        self._passing = 0  # frames to go

    def played(self, samples: NDArray[np.int16]) -> None:
        self._reference.played(samples)

    def clean(self, frame: AudioFrame) -> AudioFrame:
        reference = self._reference.take(frame.samples.size)
        self._echo.play(reference)
        if not self._audibility.hear(reference, frame.samples.size):
            self._proof = self._passing = 0
            return self._fader.turn(frame, 1.0)
        return self._fader.turn(frame, 1.0 if self._is_person(level(frame.samples)) else 0.0)

    def _is_person(self, heard: float) -> bool:
        echo = self._echo.expect(heard)
        self._proof = self._proof + 1 if echo is not None and heard > echo + MARGIN else 0
        self._passing = _PASSING if self._proof >= _PROOF else max(0, self._passing - 1)
        return self._passing > 0
