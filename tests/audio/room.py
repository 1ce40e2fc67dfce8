"""A room with a loudspeaker, a microphone and somebody who may speak: 20 ms at a time, as fast as it can be reckoned.

Not a test. The echo is what was played, late, quieter, and with the room's own reverberation; whoever plays and hears
decides what happens next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame

REVERBERATION = 0.15  # seconds
HISS = 10.0  # of 32767: a quiet microphone


class Room:
    """``echo_db`` is the level of the echo of ``like`` (some speech) against itself; None: headphones."""

    def __init__(
        self, *, seed: int, delay_ms: int, echo_db: float | None, like: NDArray[np.int16], hiss: float = HISS
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._on_the_way = np.zeros(delay_ms * SAMPLE_RATE // 1000)
        walls = self._drawn(echo_db, like)
        self._size = 1 << int(np.ceil(np.log2(walls.size + FRAME_SAMPLES)))
        self._spectrum = np.fft.rfft(walls, self._size)
        self._tail = np.zeros(self._size)
        self._hiss = hiss

    def hear(self, played: NDArray[np.int16], said: NDArray[np.int16] | None = None) -> AudioFrame:
        """What the microphone gets in the 20 ms in which this was played, and said by a person."""
        self._on_the_way = np.concatenate([self._on_the_way, played])
        arrived, self._on_the_way = self._on_the_way[:FRAME_SAMPLES], self._on_the_way[FRAME_SAMPLES:]
        self._tail += np.fft.irfft(np.fft.rfft(arrived, self._size) * self._spectrum, self._size)
        sound = self._tail[:FRAME_SAMPLES] + self._rng.normal(scale=self._hiss, size=FRAME_SAMPLES)
        self._tail = np.concatenate([self._tail[FRAME_SAMPLES:], np.zeros(FRAME_SAMPLES)])
        if said is not None:
            sound[: said.size] += said
        return AudioFrame(np.clip(np.rint(sound), -32768, 32767).astype(np.int16), SAMPLE_RATE)

    def delay_more(self, ms: int) -> None:
        """The echo's delay jumps, as when a card has run dry; by less than nothing it gets shorter."""
        samples = ms * SAMPLE_RATE // 1000
        late = np.zeros(max(0, samples))
        self._on_the_way = np.concatenate([late, self._on_the_way[max(0, -samples) :]])

    def _drawn(self, echo_db: float | None, like: NDArray[np.int16]) -> NDArray[np.float64]:
        """The room's impulse response."""
        if echo_db is None:
            return np.zeros(1)
        time = np.arange(int(REVERBERATION * SAMPLE_RATE)) / SAMPLE_RATE
        walls = self._rng.normal(size=time.size) * np.exp(-time / self._rng.uniform(0.01, 0.06))
        walls *= self._rng.uniform(0.1, 1.0) / np.sqrt(np.sum(walls**2))
        walls[0] = 1.0  # the direct way
        size = like.size + walls.size
        echo = np.fft.irfft(np.fft.rfft(like, size) * np.fft.rfft(walls, size), size)
        gain = 10 ** (echo_db / 20) * np.sqrt(np.sum(like.astype(np.float64) ** 2) / np.sum(echo**2))
        return walls * gain
