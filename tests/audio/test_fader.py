"""Gains that change without a click, and levels."""

from __future__ import annotations

import numpy as np
import pytest

from couchvoice.audio.fader import FADE_MS, QUIETEST, Fader, level, loudest
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from tests.audio.tones import pcm16, tone

FRAME = AudioFrame(np.full(FRAME_SAMPLES, 10_000, dtype=np.int16), SAMPLE_RATE)
FADE = FADE_MS * SAMPLE_RATE // 1000


def test_an_open_fader_changes_nothing():
    assert Fader().turn(FRAME, 1.0) is FRAME


def test_a_closed_one_gives_true_silence_and_opens_again_without_a_click():
    fader = Fader()
    closing = fader.turn(FRAME, 0.0).samples
    assert not closing[FADE:].any()
    assert not fader.turn(FRAME, 0.0).samples.any()
    opening = fader.turn(FRAME, 1.0).samples
    assert (opening[FADE:] == 10_000).all()
    for turned in (closing, opening):
        assert np.abs(np.diff(turned.astype(int))).max() < 10_000 / FADE * 2


def test_levels_are_those_of_the_mean_power():
    assert level(pcm16(tone(1.0, amplitude=1.0))) == pytest.approx(-3.01, abs=0.01)
    assert level(pcm16(tone(1.0, amplitude=0.1))) == pytest.approx(-23.01, abs=0.01)
    assert level(silence(960)) == level(silence(0)) == QUIETEST


def test_the_loudest_are_left_out_by_share():
    assert loudest([-30.0, -50.0, -10.0, -40.0, -20.0], 1.0) == -10
    assert loudest([-30.0, -50.0, -10.0, -40.0, -20.0], 0.5) == -30
    assert loudest([-30.0], 0.99) == -30
