"""A noise gate: what is not clearly louder than the background is silence.

For voices at other tables and clatter, which suppressors take for speech; the hiss under a speaking voice stays.
Law: no clock, and no look ahead: nothing is delayed; whatever is as loud as a voice close by passes at once.
"""

from __future__ import annotations

from collections import deque

from couchvoice.audio.fader import QUIETEST, Fader, level, loudest
from couchvoice.audio.frames import FRAME_MS, AudioFrame

MARGIN = 6.0  # dB over the loudest background
HOLD_MS = 400  # ms open after the last loud frame: a pause between two words
LEARNING_MS = 1000  # ms of background until it counts as known
MEMORY_MS = 5000  # ms of background from which it is known
NEAR_VOICE = -30.0  # dBFS, the RMS of a frame: so loud is nobody at another table
CREEP = 1.0  # dB per second open: a noise that came to stay is background in the end

_LOUDEST = 0.99
_HOLD = HOLD_MS // FRAME_MS
_LEARNING = LEARNING_MS // FRAME_MS
_MS_PER_SECOND = 1000


class NoiseGate:
    """Frame in, frame out: 48 kHz mono, 20 ms."""

    def __init__(self) -> None:
        self._fader = Fader()
        self._background: deque[float] = deque(maxlen=MEMORY_MS // FRAME_MS)  # dBFS
        self._crept = 0.0  # dB
        self._opened = 0  # frames to go

    def clean(self, frame: AudioFrame) -> AudioFrame:
        return self._fader.turn(frame, 1.0 if self._is_near(level(frame.samples)) else 0.0)

    def _is_near(self, heard: float) -> bool:
        if heard > min(NEAR_VOICE, self._threshold()):
            self._opened = _HOLD
        if not self._opened:
            if heard > QUIETEST:  # digital silence (a closed microphone) tells nothing of the room
                self._background.append(heard)
            self._crept = 0.0
            return False
        self._opened -= 1
        self._crept += CREEP * FRAME_MS / _MS_PER_SECOND
        return True

    def _threshold(self) -> float:
        if len(self._background) < _LEARNING:
            return NEAR_VOICE
        return loudest(self._background, _LOUDEST) + MARGIN + self._crept
