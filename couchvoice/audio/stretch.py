"""A little more or a little less time, without a click: one period of the sound is repeated or left out.

The method is overlap-add at the best-matching lag (WSOLA): the cut joins places that look alike, so pitch stays.
Law: what does not repeat itself (a plosive, the edge of a word) is left as it is; the first and the last sample stay.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHORTEST_LAG = 120  # samples at 48 kHz: 2.5 ms, a pitch of 400 Hz
LONGEST_LAG = 720  # 15 ms, 67 Hz
LIKENESS = 0.85  # of the two periods that are joined (their correlation)
NEARLY = 0.02  # as alike as the best ones
QUIET_PEAK = 200  # of 32767, -44 dBFS: so quiet that any two places are alike enough

_COARSE = 6  # the search runs at 8 kHz first


def shorter(samples: NDArray[np.int16], at_most: int) -> NDArray[np.int16]:
    """Without one period of at most so many samples; unchanged where there is none that can go unheard."""
    lag = _lag(samples, at_most)
    if lag is None:
        return samples
    joint = _faded(samples[:lag], samples[lag : 2 * lag])
    return np.concatenate([joint, samples[2 * lag :]])


def longer(samples: NDArray[np.int16], at_most: int) -> NDArray[np.int16]:
    """With one period of at most so many samples said twice; unchanged as above."""
    lag = _lag(samples, at_most)
    if lag is None:
        return samples
    joint = _faded(samples[lag : 2 * lag], samples[:lag])
    return np.concatenate([samples[:lag], joint, samples[lag:]])


def _faded(out: NDArray[np.int16], into: NDArray[np.int16]) -> NDArray[np.int16]:
    ramp = np.linspace(0.0, 1.0, out.size, dtype=np.float32)
    mixed: NDArray[np.floating] = np.rint(out * (1 - ramp) + into * ramp)
    return mixed.astype(np.int16)


def _lag(samples: NDArray[np.int16], at_most: int) -> int | None:
    """The period of the sound's beginning, in samples."""
    longest = min(LONGEST_LAG, samples.size // 2, at_most)
    if longest < SHORTEST_LAG:
        return None
    if max(int(samples.max()), -int(samples.min())) < QUIET_PEAK:
        return longest
    x = samples.astype(np.float32)
    coarse = x[: x.size // _COARSE * _COARSE].reshape(-1, _COARSE).mean(axis=1)
    lags = range(SHORTEST_LAG // _COARSE, longest // _COARSE + 1)
    likeness = [_likeness(coarse, lag) for lag in lags]
    # Several periods at once are as good as one, and fewer cuts.
    best = max(lag for lag, alike in zip(lags, likeness, strict=True) if alike >= max(likeness) - NEARLY) * _COARSE
    near = range(max(SHORTEST_LAG, best - _COARSE), min(longest, best + _COARSE) + 1)
    found = max(near, key=lambda lag: _likeness(x, lag))
    return found if _likeness(x, found) >= LIKENESS else None


def _likeness(x: NDArray[np.float32], lag: int) -> float:
    """Of the first period and the one after it: 1 when they are the same."""
    one, other = x[:lag], x[lag : 2 * lag]
    power = float(np.dot(one, one)) * float(np.dot(other, other))
    return float(np.dot(one, other)) / power**0.5 if power > 0 else 1.0
