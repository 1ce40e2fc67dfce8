"""What the loudspeaker got, for the microphone's side: the reference of every protection against echo.

Not the echo's delay: that is for whoever compares the two. Law: one sample of reference for one captured sample, so
that a busy event loop, which makes both sides late by the same time, does not tear them apart.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, is_audible, silence

HOLD_MS = 500  # ms from the last sample played to the last of its echo: two devices' latency (Bluetooth: 300), the room

_LIMIT_BLOCKS = 200  # 2 s of a card's blocks, while nobody captures; beyond, the oldest is dropped
_LATEST = SAMPLE_RATE // 5  # samples: what is played later than this after its time is no longer waited for
_WATCHED = SAMPLE_RATE  # samples of capture in which a surplus must have stood the whole time
_HOLD = HOLD_MS * SAMPLE_RATE // 1000


class Reference:
    """Appended to in the card's thread, taken from on the event loop."""

    def __init__(self) -> None:
        self._blocks: deque[NDArray[np.int16]] = deque(maxlen=_LIMIT_BLOCKS)
        self._ready = silence(0)
        self._owed = 0  # samples that were captured before their reference had come
        self._surplus = _WATCHED  # the least that was left over while being watched
        self._watched = 0

    def played(self, samples: NDArray[np.int16]) -> None:
        """The card got these: 48 kHz mono, which nobody changes any more. Never blocks, never raises."""
        self._blocks.append(samples)

    @property
    def behind_ms(self) -> int:
        """How late the loudspeaker's card is against the microphone's, as of the last ``take``."""
        return self._owed * 1000 // SAMPLE_RATE

    def take(self, captured: int) -> NDArray[np.int16]:
        """The reference of so many captured samples: about as many, none while no card plays.

        What comes late is handed out with the next; what piles up because the loudspeaker's clock is the faster one
        is handed out once a second.
        """
        blocks = [self._blocks.popleft() for _ in range(len(self._blocks))]
        self._ready = np.concatenate([self._ready, *blocks])
        count = min(self._ready.size, captured + self._owed)
        self._owed = min(_LATEST, self._owed + captured - count)
        count += self._standing_surplus(self._ready.size - count, captured)
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken

    def _standing_surplus(self, left: int, captured: int) -> int:
        self._surplus = min(self._surplus, left)
        self._watched += captured
        if self._watched < _WATCHED:
            return 0
        surplus, self._surplus, self._watched = self._surplus, _WATCHED, 0
        return surplus


class Audibility:
    """Whether the loudspeaker may be in the microphone: from its first audible sample until HOLD_MS after its last."""

    def __init__(self) -> None:
        self._left = 0

    def hear(self, reference: NDArray[np.int16], captured: int) -> bool:
        """Take what was played while so many samples were captured."""
        self._left = _HOLD if is_audible(reference) else max(0, self._left - captured)
        return self._left > 0
