"""The noise of a café: many voices, clattering cups, a rumble. Seeded: the same noise each time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE
from tests.local.speech import spoken

SENTENCES = (
    "Could I have a flat white and a croissant, please?",
    "The train was late again this morning, so we walked.",
    "I think the meeting is at four, in the big room.",
    "Two teas, and one hot chocolate for the table outside.",
)
VOICES = ("alloy", "echo", "shimmer", "ash")
LONGEST_PAUSE = 0.8  # seconds
CUP = 0.05  # seconds


def cafe(seconds: float, *, talkers: int, seed: int) -> NDArray[np.float64]:
    """48 kHz with an RMS of 1."""
    rng = np.random.default_rng(seed)
    size = int(seconds * SAMPLE_RATE)
    sound = 0.5 * _rumble(size, rng)
    for talker in range(talkers):
        sound += rng.uniform(0.4, 1.0) * _talker(size, VOICES[talker % len(VOICES)], rng)
    for at in rng.integers(0, size - int(CUP * SAMPLE_RATE), int(seconds)):
        time = np.arange(int(CUP * SAMPLE_RATE))
        sound[at : at + time.size] += 4 * rng.normal(size=time.size) * np.exp(-8 * time / time.size)
    return sound / np.sqrt(np.mean(sound**2))


def _talker(size: int, voice: str, rng: np.random.Generator) -> NDArray[np.float64]:
    pieces, filled = [], 0
    while filled < size:
        said = spoken(SENTENCES[rng.integers(len(SENTENCES))], voice).astype(np.float64)
        pause = np.zeros(int(rng.uniform(0.1, LONGEST_PAUSE) * SAMPLE_RATE))
        pieces += [said / np.sqrt(np.mean(said**2)), pause]
        filled += said.size + pause.size
    return np.roll(np.concatenate(pieces)[:size], rng.integers(size))


def _rumble(size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    walk = np.cumsum(rng.normal(size=size + SAMPLE_RATE // 20))
    slow = np.cumsum(walk) / (SAMPLE_RATE // 20)
    level = walk[SAMPLE_RATE // 20 :] - (slow[SAMPLE_RATE // 20 :] - slow[: -SAMPLE_RATE // 20])
    rumble: NDArray[np.float64] = level / np.sqrt(np.mean(level**2))
    return rumble
