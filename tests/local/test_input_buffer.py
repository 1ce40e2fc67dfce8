"""The input buffer gives back what was appended, by the clock, within its bounds."""

from __future__ import annotations

import numpy as np
import pytest

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.local import input_buffer
from couchvoice.local.input_buffer import InputAudioBuffer
from couchvoice.local.resample import RATE

SECOND = RATE
FILTER = 2  # ms, what a resampler may hold back


def filled(seconds: float, *, rate: int = RATE) -> InputAudioBuffer:
    """A ramp: the value of a sample is its number, in 10 ms."""
    buffer = InputAudioBuffer()
    values = (np.arange(int(seconds * rate)) * 100 // rate).astype(np.int16)
    for start in range(0, values.size, rate // 50):
        buffer.append(AudioFrame(values[start : start + rate // 50], rate))
    return buffer


def test_a_cut_is_the_sound_between_two_times() -> None:
    cut = filled(2.0).cut(500, 1500)
    assert cut.rate == RATE
    assert cut.samples.size == SECOND
    assert (cut.samples[0], cut.samples[-1]) == (50, 149)


def test_a_cut_leaves_the_sound_there() -> None:
    buffer = filled(2.0)
    assert np.array_equal(buffer.cut(0, 1000).samples, buffer.cut(0, 1000).samples)


def test_a_cut_beyond_what_there_is_gives_what_there_is() -> None:
    buffer = filled(1.0)
    buffer.discard_before(500)
    assert buffer.cut(0, 5000).samples.size == SECOND // 2
    assert buffer.cut(0, 100).samples.size == 0
    assert buffer.cut(2000, 3000).samples.size == 0


def test_discarding_and_clearing_leave_the_clock_alone() -> None:
    buffer = filled(1.0)
    buffer.discard_before(400)
    assert (buffer.start_ms, buffer.end_ms) == (400, 1000)
    buffer.clear()
    assert (buffer.start_ms, buffer.end_ms) == (1000, 1000)
    buffer.append(AudioFrame(np.full(RATE // 50, 7, np.int16), RATE))
    assert set(buffer.cut(1000, 1020).samples) == {7}


def test_frames_of_48_khz_come_out_at_16_on_the_same_clock() -> None:
    buffer = InputAudioBuffer()
    for _ in range(100):
        buffer.append(AudioFrame(np.zeros(FRAME_SAMPLES, np.int16), SAMPLE_RATE))
    assert buffer.end_ms == pytest.approx(2000, abs=FILTER)


def test_what_is_older_than_the_limit_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_buffer, "LIMIT", 1000)
    buffer = filled(3.0)
    assert (buffer.start_ms, buffer.end_ms) == (2000, 3000)
