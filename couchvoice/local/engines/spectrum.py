"""Speech as a picture: the level of 32 mel bands every 10 ms, and what of it sticks out of the noise.

Levels are in dB and relative to the loudest frames, so that the volume does not matter; the noise is a floor per band,
so that a clean recording and a noisy copy of it look alike. Parameters were measured together: change one, measure all.
Law: numpy only, and deterministic.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

HOP = 0.01  # s
BANDS = 32

_WINDOW = 0.025  # s
_LOWEST, _HIGHEST = 120.0, 6500.0  # Hz
_MEL_BREAK = 700.0  # Hz, where the mel scale turns from linear to logarithmic
_RANGE = 40.0  # dB below the loudest frame that still count
_TRIM = 5.0  # dB less of them at the ends of a recording
_LOUDEST = 3  # this frame, by rank, is 0 dB: a click or two do not set the scale
_NOISE_PERCENTILE = 10
_ABOVE_NOISE = 6.0  # dB
_HIGHEST_FLOOR = -8.0  # dB
_GATE = 8.0  # dB above the floor that make a frame voiced
_CONTEXT = 4  # frames before and after that belong to a frame's shape
_TINY = 1e-10  # keeps the logarithm of silence finite
_REGULAR = 1.0  # dB, keeps the shape of almost nothing small

Levels = NDArray[np.float32]


def levels(samples: NDArray[np.int16], rate: int) -> Levels:
    """Frames by bands, 0 dB for the loudest frames."""
    spectrum = _log_mel(samples, rate)
    loudest: np.float32 = np.sort(spectrum.max(axis=1))[-min(_LOUDEST, len(spectrum))]
    return spectrum - loudest


def trimmed(spectrum: Levels) -> Levels:
    """From the first to the last frame that is not silent, the loudest at 0 dB."""
    peaks = spectrum.max(axis=1)
    sounding = np.flatnonzero(peaks > peaks.max() - _RANGE + _TRIM)
    cut: Levels = spectrum[sounding[0] : sounding[-1] + 1] - peaks.max()
    return cut


def noise_floor(spectrum: Levels) -> Levels:
    """Per band: what is below it is noise."""
    quiet = np.percentile(spectrum, _NOISE_PERCENTILE, axis=0)
    floor: Levels = np.clip(quiet + _ABOVE_NOISE, -_RANGE, _HIGHEST_FLOOR).astype(np.float32)
    return floor


def voiced(spectrum: Levels, floor: Levels) -> NDArray[np.bool_]:
    """The frames that stick out."""
    return np.asarray((spectrum - floor).max(axis=1) > _GATE)


def shapes(spectrum: Levels, floor: Levels, first: NDArray[np.intp], last: NDArray[np.intp]) -> Levels:
    """Each frame with its neighbours as a vector of about unit length: their products are cosines.

    ``first`` and ``last`` bound each frame's neighbourhood: recordings that lie end to end do not mix.
    """
    here = np.maximum(spectrum - floor, 0)
    here -= here.mean(axis=1, keepdims=True)
    frame = np.arange(len(spectrum))
    before, after = np.maximum(frame - _CONTEXT, first), np.minimum(frame + _CONTEXT, last)
    vectors = np.hstack([here[before], here, here[after]])
    return np.asarray(vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + _REGULAR), np.float32)


def _log_mel(samples: NDArray[np.int16], rate: int) -> Levels:
    width = int(_WINDOW * rate)
    padded = np.pad(samples.astype(np.float32) / -np.iinfo(np.int16).min, width // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[:: round(HOP * rate)]
    size = 1 << (width - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * np.hanning(width).astype(np.float32), size)) ** 2 / rate
    return (10 * np.log10(power @ _bank(size, rate) + _TINY)).astype(np.float32)


@functools.cache
def _bank(size: int, rate: int) -> Levels:
    """Triangles on the mel scale: rfft bins by bands."""
    low_end, high_end = math.log10(1 + _LOWEST / _MEL_BREAK), math.log10(1 + _HIGHEST / _MEL_BREAK)
    edges = _MEL_BREAK * (10 ** np.linspace(low_end, high_end, BANDS + 2) - 1)
    bins = np.fft.rfftfreq(size, 1 / rate)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    bank: Levels = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return bank
