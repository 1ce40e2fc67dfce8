"""How loud the echo may be just now: learnt from what the loudspeaker plays and what the microphone hears.

Law: it follows the room, a person's voice in it included, so that a wrong belief never lasts longer than MEMORY_MS of
sound.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.fader import QUIETEST, level, loudest
from couchvoice.audio.frames import FRAME_MS, is_audible
from couchvoice.audio.reference import HOLD_MS

LEARNING_MS = 1000  # ms of audible loudspeaker until the echo counts as known
MEMORY_MS = 4000  # ms of audible loudspeaker from which it is known

_LOUDEST = 0.95  # of the remembered: an interruption must not count as echo
_LEARNING = LEARNING_MS // FRAME_MS


class EchoLevel:
    """Fed frame by frame (20 ms)."""

    def __init__(self) -> None:
        self._played: deque[float] = deque(maxlen=HOLD_MS // FRAME_MS)  # dBFS of what may come back just now
        self._couplings: deque[float] = deque(maxlen=MEMORY_MS // FRAME_MS)  # dB, microphone over loudspeaker

    def play(self, reference: NDArray[np.int16]) -> None:
        """The loudspeaker got this in the time of the frame."""
        self._played.append(level(reference) if is_audible(reference) else QUIETEST)

    def expect(self, heard: float) -> float | None:
        """dBFS of the loudest echo that may be in this frame, before the frame itself, which has the level ``heard``,
        is learnt from. To be asked while the loudspeaker is audible. None: not known yet."""
        played = max(self._played)
        known = len(self._couplings) >= _LEARNING
        expected = played + loudest(self._couplings, _LOUDEST) if known else None
        if played > QUIETEST:
            self._couplings.append(heard - played)
        return expected
