"""A voice that nobody has: what libopus takes for speech, with pauses in it when asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE


def buzz(frames: int) -> NDArray[np.int16]:
    """So many frames of a buzz whose pitch and loudness move."""
    t = np.arange(frames * FRAME_SAMPLES) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 1.7 * t)) / SAMPLE_RATE
    waves = sum(np.sin(k * phase) / k for k in range(1, 24))
    return (6000 * waves * (0.6 + 0.4 * np.sin(2 * np.pi * 3.1 * t))).astype(np.int16)


def framed(samples: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    return [samples[start : start + FRAME_SAMPLES] for start in range(0, samples.size, FRAME_SAMPLES)]
