from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.audio.resample import PulledResampler, Resampler
from tests.audio.tones import pcm16, snr_db, tone


@pytest.mark.row("B4")
@pytest.mark.parametrize("from_rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("to_rate", [24_000, 48_000])
def test_duration_and_tone_survive(from_rate: int, to_rate: int):
    resampler = Resampler(from_rate, to_rate)
    blocks = np.array_split(pcm16(tone(1.0, rate=from_rate)), 97)
    out = np.concatenate([*(resampler.push(block) for block in blocks), resampler.flush()])
    assert abs(out.size - to_rate) < to_rate / 1000
    assert snr_db(out, rate=to_rate) > 60


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2_000), max_size=12))
def test_how_the_stream_is_cut_does_not_matter(sizes: list[int]):
    samples = pcm16(tone(sum(sizes) / 44_100, rate=44_100))
    cut, whole = Resampler(44_100, 48_000), Resampler(44_100, 48_000)
    pieces = [cut.push(piece) for piece in np.split(samples, np.cumsum(sizes))]
    assert np.array_equal(np.concatenate([*pieces, cut.flush()]), np.concatenate([whole.push(samples), whole.flush()]))


def test_it_holds_back_no_more_than_a_millisecond():
    resampler = Resampler(44_100, 48_000)
    given_seconds = taken_seconds = 0.0
    for _ in range(50):
        given_seconds += 441 / 44_100
        taken_seconds += resampler.push(np.zeros(441, dtype=np.int16)).size / 48_000
    assert given_seconds - taken_seconds <= 0.001


def test_after_a_flush_a_new_stream_begins():
    resampler = Resampler(24_000, 48_000)
    first = np.concatenate([resampler.push(pcm16(tone(0.1, rate=24_000))), resampler.flush()])
    second = np.concatenate([resampler.push(pcm16(tone(0.1, rate=24_000))), resampler.flush()])
    assert np.array_equal(first, second)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_card_at_another_rate_gets_exactly_what_it_asks_for(rate: int):
    source = pcm16(tone(3.0))
    position = 0

    def pull(samples: int) -> np.ndarray:
        nonlocal position
        position += samples
        return source[position - samples : position]

    card = PulledResampler(pull, 48_000, rate)
    blocks = [card.pull(rate // 100) for _ in range(100)]
    assert {block.size for block in blocks} == {rate // 100}
    assert snr_db(np.concatenate(blocks), rate=rate) > 60
    assert position / 48_000 <= 1.03
