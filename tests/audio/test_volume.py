from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.audio.volume import MAX_VOLUME, Volume
from couchvoice.errors import ConfigError
from tests.audio.tones import pcm16, snr_db, tone

BLOCK = 480


def applied(volume: Volume, samples: np.ndarray) -> np.ndarray:
    return np.concatenate([volume.apply(samples[start : start + BLOCK]) for start in range(0, samples.size, BLOCK)])


@pytest.mark.row("B2")
@pytest.mark.parametrize("percent", [0, 25, 50, 100, 150, 200])
def test_a_tone_is_as_much_louder_as_was_asked_for(percent: float):
    quiet = pcm16(tone(0.2, amplitude=0.4))
    played = applied(Volume(percent), quiet)
    assert played.dtype == np.int16
    assert np.abs(played - quiet * (percent / 100)).max() <= 1


@pytest.mark.row("B2")
def test_what_would_be_clipped_is_turned_down_and_stays_a_tone():
    played = applied(Volume(200), pcm16(tone(0.5, amplitude=0.9)))
    assert np.abs(played[BLOCK:].astype(int)).max() >= 32_000
    assert snr_db(played[2 * BLOCK :]) > 30


def test_a_change_while_it_plays_makes_no_step():
    volume, loud = Volume(100), np.full(BLOCK, 10_000, np.int16)
    played = [volume.apply(loud)]
    for percent in (0, 200, 30):
        volume.percent = percent
        played += [volume.apply(loud) for _ in range(60)]
    assert np.abs(np.diff(np.concatenate(played).astype(int))).max() < 100
    assert played[-1][-1] == pytest.approx(3_000, abs=1)


@given(
    st.lists(st.floats(0, MAX_VOLUME), min_size=1, max_size=8),
    st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=20),
)
def test_no_sample_ever_changes_its_sign(percents: list[float], values: list[int]):
    volume, samples = Volume(), np.array(values, dtype=np.int16)
    for percent in percents:
        volume.percent = percent
        assert (volume.apply(samples).astype(int) * samples >= 0).all()


@pytest.mark.parametrize("percent", [-1, 201, math.nan, math.inf])
def test_a_volume_that_is_none_is_refused(percent: float):
    with pytest.raises(ConfigError, match="choose 0 to 200"):
        Volume(percent)
