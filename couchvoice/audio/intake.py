"""Blocks of a microphone in, frames of 20 ms out, on a timeline without holes.

A card that gives nothing is silent in real time; what was lost is silence of the same length; what comes late, after
its silence has gone out, is dropped, else each stall would delay the talk for ever.
Law: it knows no clock (time is an argument) and no card: one side puts in the card's thread, the other takes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, silence
from couchvoice.audio.pacing import CATCH_UP_LIMIT, FRAME_SECONDS
from couchvoice.audio.resample import Resampler

QUEUE_BLOCKS = 50  # of 10 ms; beyond, the oldest is dropped
STALL_TIMEOUT = 0.1  # s without a block until silence goes out
WAITING_BLOCKS = 4  # that may wait while late sound is dropped: two frames
PROMPT_FRAMES = 50  # taken without a stall; then whatever comes is not late any more

_LIMIT = round(CATCH_UP_LIMIT * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Block:
    """As the card gave it: one column for each channel. ``began`` is its first sample's time on the card's clock, s."""

    samples: NDArray[np.int16]
    rate: int
    began: float
    overflowed: bool  # what came before it did not fit into the card's buffer


class Intake:
    """Its timeline begins with the first ``take``: what was put before is forgotten."""

    def __init__(self) -> None:
        # Appended in the card's thread, taken on the loop.
        self._blocks: deque[Block] = deque(maxlen=QUEUE_BLOCKS)
        # Written in the card's thread:
        self._overflows = 0
        self._dropped = 0
        # Written on the loop:
        self._began = False
        self._uncounted = 0  # lost before anybody listened
        self._late = 0
        self._replaced = 0  # of those dropped, how many have become silence
        self._ready = silence(0)
        self._resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)
        self._rate = SAMPLE_RATE
        self._expected: float | None = None  # when the next block begins, on the card's clock
        self._owed = 0  # samples of silence that stand where late sound may still come
        self._prompt = 0
        self._due = 0.0

    @property
    def lost_blocks(self) -> int:
        """Overflows of the card, blocks that nobody took in time, blocks that came too late."""
        return self._overflows + self._dropped + self._late - self._uncounted

    @property
    def stands_still(self) -> bool:
        """The last frame was silence because nothing had come."""
        return not self._prompt

    @property
    def due(self) -> float:
        """When ``take`` gives silence, if nothing comes."""
        return self._due

    def put(self, block: Block) -> None:
        """In the card's thread."""
        self._overflows += block.overflowed
        self._dropped += len(self._blocks) == QUEUE_BLOCKS
        self._blocks.append(block)

    def take(self, now: float) -> NDArray[np.int16] | None:
        """A frame of 48 kHz sound, or of silence when it is due, or None: wait until ``due`` or for a block."""
        if not self._began:
            self._begin(now)
        self._drop_late()
        while self._ready.size < FRAME_SAMPLES and self._blocks:
            self._append(self._blocks.popleft())
        if self._ready.size >= FRAME_SAMPLES:
            self._due = now + STALL_TIMEOUT
            self._prompt += 1
            if self._prompt == PROMPT_FRAMES:
                self._owed = 0
            return self._frame()
        if now < self._due:
            return None
        self._due = max(self._due, now - CATCH_UP_LIMIT) + FRAME_SECONDS
        self._prompt = 0
        self._owed = min(self._owed + FRAME_SAMPLES - self._ready.size, _LIMIT)
        self._expected = None
        self._fill(FRAME_SAMPLES - self._ready.size)
        return self._frame()

    def _begin(self, now: float) -> None:
        self._blocks.clear()
        self._began, self._due = True, now + STALL_TIMEOUT
        self._uncounted, self._replaced = self._overflows + self._dropped, self._dropped

    def _frame(self) -> NDArray[np.int16]:
        frame, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        return frame

    def _drop_late(self) -> None:
        while len(self._blocks) > WAITING_BLOCKS:
            oldest = self._blocks[0]
            samples = len(oldest.samples) * SAMPLE_RATE // oldest.rate
            if samples > self._owed:
                return
            self._owed -= samples
            self._late += 1
            self._blocks.popleft()
            self._expected = None

    def _append(self, block: Block) -> None:
        if block.rate != self._rate:  # another device
            self._ready = np.concatenate([self._ready, self._resampler.flush()])
            self._resampler, self._rate, self._expected = Resampler(block.rate, SAMPLE_RATE), block.rate, None
        self._fill(min(self._missing_before(block), _LIMIT))
        self._expected = block.began + len(block.samples) / block.rate
        self._ready = np.concatenate([self._ready, self._resampler.push(mixed_down(block.samples))])

    def _missing_before(self, block: Block) -> int:
        """At 48 kHz: what was dropped here, or what the card says it lost."""
        dropped = self._dropped - self._replaced
        if dropped:
            self._replaced += dropped
            return dropped * len(block.samples) * SAMPLE_RATE // block.rate
        if not block.overflowed:
            return 0
        lost = 0.0 if self._expected is None else block.began - self._expected
        return round(max(lost, len(block.samples) / block.rate) * SAMPLE_RATE)

    def _fill(self, samples: int) -> None:
        if samples:
            self._ready = np.concatenate([self._ready, silence(samples)])


def mixed_down(block: NDArray[np.int16]) -> NDArray[np.int16]:
    """The mean of a card's channels; ``block`` has one column for each."""
    if block.shape[1] == 1:
        return block[:, 0]
    mean: NDArray[np.floating] = np.rint(block.mean(axis=1))
    return mean.astype(np.int16)
