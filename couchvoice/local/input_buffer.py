"""The sound that has arrived and is not yet committed, by the clock of the input.

Time zero is the first sample ever appended; neither discarding nor clearing moves the clock, so that the detector's
milliseconds stay valid. Cuts come out at 16 kHz, the rate of the recognizers.
Law: bounded. What is older than LIMIT is dropped; whoever knows that nobody speaks discards earlier (IDLE_LIMIT).
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.resample import RATE, Downsampler

LIMIT = 600_000  # ms, one utterance without end: 19 MB
IDLE_LIMIT = 60_000  # ms, enough to look back when nobody speaks

_PER_MS = RATE // 1000


class InputAudioBuffer:
    """Append frames of one rate; cut by milliseconds."""

    def __init__(self) -> None:
        self._resampler = Downsampler()
        self._pieces: deque[NDArray[np.int16]] = deque()
        self._first = 0  # the clock's sample at which the first piece begins
        self._end = 0

    @property
    def start_ms(self) -> int:
        """Where what is kept begins."""
        return self._first // _PER_MS

    @property
    def end_ms(self) -> int:
        """The clock: how much has been appended."""
        return self._end // _PER_MS

    def append(self, frame: AudioFrame) -> None:
        """Keep the frame; beyond LIMIT the oldest sound is dropped."""
        samples = self._resampler.push(frame)
        self._pieces.append(samples)
        self._end += samples.size
        self.discard_before(self.end_ms - LIMIT)

    def cut(self, start_ms: int, end_ms: int) -> AudioFrame:
        """The sound between two times, as far as it is still there. The buffer keeps it."""
        start = max(start_ms * _PER_MS, self._first) - self._first
        stop = max(end_ms * _PER_MS - self._first, start)
        return AudioFrame(np.concatenate([np.zeros(0, np.int16), *self._pieces])[start:stop], RATE)

    def discard_before(self, ms: int) -> None:
        """Forget what is older, piece by piece: up to one frame more may stay."""
        while self._pieces and self._first + self._pieces[0].size <= ms * _PER_MS:
            self._first += self._pieces.popleft().size

    def clear(self) -> None:
        """Forget everything; the clock goes on."""
        self._pieces.clear()
        self._first = self._end
