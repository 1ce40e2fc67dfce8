from __future__ import annotations

import time

import numpy as np
import pytest

from couchvoice.audio.meter import SILENCE_DB, LevelMeter
from tests.audio.tones import pcm16, tone

FASTEST_VIEW = 60  # drawings a second


@pytest.mark.row("B10")
@pytest.mark.parametrize(("amplitude", "level"), [(1.0, -3.01), (0.5, -9.03), (0.01, -43.0)])
def test_the_level_is_the_rms_of_the_last_moment_in_dbfs(amplitude: float, level: float):
    meter = LevelMeter()
    for start in range(0, 48_000, 480):
        meter.add(pcm16(tone(1.0, amplitude=amplitude))[start : start + 480])
    assert meter.level() == pytest.approx(level, abs=0.3)
    for _ in range(8):
        meter.add(np.zeros(480, np.int16))
    assert meter.level() == SILENCE_DB


def test_nothing_is_silent():
    assert LevelMeter().level() == SILENCE_DB


@pytest.mark.row("B10")
def test_a_second_of_both_meters_costs_less_than_a_twentieth_of_a_core():
    """As often as the fastest view asks. The process's own time: others may be busy."""
    meter, block = LevelMeter(), pcm16(tone(0.02))
    began = time.process_time()
    for _ in range(2 * FASTEST_VIEW):
        meter.add(block)
        meter.level()
    assert time.process_time() - began < 0.05
