from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from couchvoice.audio.frames import (
    FRAME_MS,
    FRAME_SAMPLES,
    SAMPLE_RATE,
    InvalidAudio,
    base64_from_pcm16,
    float_from_pcm16,
    pcm16_from_base64,
    pcm16_from_float,
    silence,
)

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)


def test_a_frame_is_20_ms_of_48_khz():
    assert FRAME_SAMPLES * 1000 == SAMPLE_RATE * FRAME_MS == 960_000


@pytest.mark.row("B3")
def test_the_ends_of_the_scale_are_exact_and_beyond_is_clamped():
    assert pcm16_from_float(np.array([-1.0, 1.0, 0.0, -7.0, 7.0])).tolist() == [-32768, 32767, 0, -32768, 32767]


@pytest.mark.row("B3")
def test_what_is_not_a_number_is_silence():
    assert pcm16_from_float(np.array([np.nan, np.inf, -np.inf])).tolist() == [0, 0, 0]


@pytest.mark.row("B3")
def test_every_sample_survives_the_way_to_floats_and_back():
    assert np.array_equal(pcm16_from_float(float_from_pcm16(EVERY_SAMPLE)), EVERY_SAMPLE)


@pytest.mark.row("B3")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_hundred_thousand_floats_come_back_within_one_step(kind: type[np.floating]):
    x = np.random.default_rng(3).uniform(-1, 1, 100_000).astype(kind)
    error = np.abs(float_from_pcm16(pcm16_from_float(x)).astype(np.float64) - x)
    assert error.max() <= 1 / 32767


@given(hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)))
def test_any_float_at_all_becomes_a_sample_of_the_same_sign(x):
    samples = pcm16_from_float(x)
    finite = np.isfinite(x)
    assert not samples[~finite].any()
    assert (np.sign(samples[finite]) * np.sign(x[finite]) >= 0).all()


@pytest.mark.row("B3")
def test_base64_is_little_endian():
    assert base64.b64decode(base64_from_pcm16(np.array([1, -2], dtype=np.int16))) == b"\x01\x00\xfe\xff"


@pytest.mark.row("B3")
@given(hnp.arrays(np.int16, st.integers(0, 200)))
def test_samples_survive_base64(samples):
    back = pcm16_from_base64(base64_from_pcm16(samples))
    assert np.array_equal(back, samples)
    back[:] = 0  # a copy of one's own, not a view of the message


@pytest.mark.parametrize("text", ["?", "AAA", "ä", "AA=A", "AA AA", base64.b64encode(b"odd").decode()])
def test_what_a_peer_sends_instead_of_samples_is_refused_with_a_type(text: str):
    with pytest.raises(InvalidAudio):
        pcm16_from_base64(text)


def test_silence_is_as_long_as_asked_for():
    assert silence(3).tolist() == [0, 0, 0]
