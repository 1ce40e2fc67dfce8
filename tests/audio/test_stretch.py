from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.stretch import LONGEST_LAG, SHORTEST_LAG, longer, shorter

RATE = 48_000


def hum(hertz: float, *, ms: int = 40) -> NDArray[np.int16]:
    t = np.arange(ms * RATE // 1000) / RATE
    return (8000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


def clicks(samples: NDArray[np.int16], hertz: float) -> float:
    """The greatest step from one sample to the next, in units of the hum's own."""
    return float(np.abs(np.diff(samples.astype(int))).max() / (8000 * 2 * np.pi * hertz / RATE))


@pytest.mark.row("B15")
@pytest.mark.parametrize("hertz", [90, 145, 220, 390])
@pytest.mark.parametrize("change", [shorter, longer])
def test_a_hum_gets_whole_periods_shorter_or_longer_and_does_not_click(hertz, change):
    before = hum(hertz)
    after = change(before, LONGEST_LAG)
    periods = abs(after.size - before.size) * hertz / RATE
    assert periods > 0.9
    assert periods == pytest.approx(round(periods), abs=0.06)
    assert clicks(after, hertz) < 1.15
    assert (after[0], after[-1]) == (before[0], before[-1])


@pytest.mark.parametrize("change", [shorter, longer])
def test_what_does_not_repeat_itself_is_left_alone(change):
    noise = np.random.default_rng(1).integers(-8000, 8000, 1920).astype(np.int16)
    assert np.array_equal(change(noise, LONGEST_LAG), noise)


@pytest.mark.parametrize("change", [shorter, longer])
def test_silence_may_be_as_long_as_one_likes(change):
    nothing = np.zeros(1920, dtype=np.int16)
    assert abs(change(nothing, LONGEST_LAG).size - nothing.size) == LONGEST_LAG
    assert abs(change(nothing, 200).size - nothing.size) == 200


@pytest.mark.parametrize("change", [shorter, longer])
def test_no_more_is_changed_than_is_allowed(change):
    assert change(hum(90), SHORTEST_LAG - 1).size == hum(90).size
    assert abs(change(hum(390), 300).size - hum(390).size) <= 300
