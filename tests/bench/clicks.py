"""Clicks: what is easily found in sound that went through a codec, and the card that hears and plays them.

Law: times are the loop's, and those of samples, not of blocks: what a block waits until it is full counts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.audio.fake_cards import FakeCard

RATE = 48_000  # Hz
APART = 0.47  # seconds: no multiple of a block or of a packet
LOUD = 6_000  # of 32767
LENGTH = RATE // 100  # samples

Samples = NDArray[np.int16]

CLICK: Samples = (20_000 * np.sin(2 * np.pi * 1000 * (np.arange(LENGTH) + 12) / RATE)).astype(np.int16)


@dataclass
class Ear:
    """``heard``: when each click began; what follows within half of APART belongs to it."""

    heard: list[float] = field(default_factory=list)

    def listen(self, samples: Samples, begins: float) -> None:
        """``begins``: the time of the first sample."""
        if (first := first_loud(samples)) is not None:
            self.note(begins + first / RATE)

    def note(self, at: float) -> None:
        """A click, or more of the last one."""
        if not self.heard or at - self.heard[-1] > APART / 2:
            self.heard.append(at)


def first_loud(samples: Samples) -> int | None:
    """The place of the first sample of a click, if there is one."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
    return int(loud[0]) if loud.size else None


@dataclass(eq=False)
class ClickingCard(FakeCard):
    """As a microphone it hears clicks, each at another place of its block; as a loudspeaker it listens for them."""

    clicked: list[float] = field(default_factory=list)
    ear: Ear = field(default_factory=Ear)
    _due: float | None = None
    _rest: Samples = field(default_factory=lambda: np.zeros(0, np.int16))

    def take(self, count: int) -> tuple[Samples, int]:
        now = asyncio.get_running_loop().time()
        self._due = now + APART if self._due is None else self._due
        block = np.zeros(count, np.int16)
        block[: self._rest.size] = self._rest[:count]
        self._rest = self._rest[count:]
        began = now - count / RATE  # the block is handed out when its last sample has been heard
        if self._due <= now:
            at = max(0, min(count - 1, round((self._due - began) * RATE)))
            self.clicked.append(began + at / RATE)
            self._due += APART
            block[at : at + LENGTH] = CLICK[: count - at]
            self._rest = CLICK[count - at :]
        return block, 0

    def render(self, block: NDArray[np.int16]) -> None:
        self.ear.listen(block[:, 0], asyncio.get_running_loop().time())
