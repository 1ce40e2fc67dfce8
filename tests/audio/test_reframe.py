"""Any frames in, even frames out: nothing is lost, nothing waits longer than it must, and nothing comes in bursts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.reframe import EvenReader, Reframer
from couchvoice.audio.source import SilentSource
from couchvoice.scenario.media_clock import run as run_skipping
from tests.audio.tones import pcm16, snr_db, tone

RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000]
LEAD_IN = 96  # samples, 2 ms


def even(reframer: Reframer) -> Iterator[NDArray[np.int16]]:
    while (frame := reframer.pull()) is not None:
        assert (frame.rate, frame.samples.size) == (SAMPLE_RATE, FRAME_SAMPLES)
        yield frame.samples


@pytest.mark.row("P20")
@pytest.mark.parametrize("ms", [1, 10, 20, 40, 60, 100, 1000])
def test_frames_of_any_length_arrive_whole(ms: int) -> None:
    sound = pcm16(tone(2.0))
    reframer = Reframer()
    out: list[NDArray[np.int16]] = []
    for piece in np.split(sound, range(ms * 48, sound.size, ms * 48)):
        reframer.push(AudioFrame(piece, SAMPLE_RATE))
        out += even(reframer)
    assert np.array_equal(np.concatenate(out), sound)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(RATES)), max_size=12))
def test_however_lengths_and_rates_change_durations_are_kept(given: list[tuple[int, int]]) -> None:
    reframer = Reframer()
    for size, rate in given:
        reframer.push(AudioFrame(silence(size), rate))
    reframer.push(AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE))  # nothing is held back any more
    out = sum(samples.size for samples in even(reframer))
    lead_ins, before = 0, SAMPLE_RATE
    for _, rate in given:
        lead_ins, before = lead_ins + (rate not in (before, SAMPLE_RATE)), rate
    expected = sum(size * SAMPLE_RATE / rate for size, rate in given) + lead_ins * LEAD_IN + FRAME_SAMPLES
    assert expected - FRAME_SAMPLES - len(given) <= out <= expected + len(given)


@pytest.mark.row("B4")
@pytest.mark.parametrize("rate", RATES)
def test_frames_of_another_rate_keep_their_tone_and_wait_for_no_other_frame(rate: int) -> None:
    sound = pcm16(tone(1.0, rate=rate))
    reframer = Reframer()
    out: list[NDArray[np.int16]] = []
    for number, piece in enumerate(np.array_split(sound, 50)):
        reframer.push(AudioFrame(piece, rate))
        out += even(reframer)
        assert len(out) >= number + (piece.size * 50 == rate)  # where 20 ms are a whole number of samples
    assert snr_db(np.concatenate(out)[LEAD_IN:]) > 60


@pytest.mark.parametrize(
    "frame",
    [
        AudioFrame(np.zeros(960, dtype=np.float32), SAMPLE_RATE),  # type: ignore[arg-type]
        AudioFrame(np.zeros((2, 960), dtype=np.int16), SAMPLE_RATE),
        AudioFrame(b"\0" * 1920, SAMPLE_RATE),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_frame_is_refused_with_what_it_is(frame: AudioFrame) -> None:
    with pytest.raises(ValueError, match="int16 samples, not"):
        Reframer().push(frame)


@pytest.mark.parametrize("rate", [0, -8_000])
def test_a_frame_without_a_rate_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="rate in Hz"):
        Reframer().push(AudioFrame(silence(960), rate))


class Metronome(SilentSource):
    """A source that hands out frames of one length, each when its time has come; with ``ms`` 0 empty ones, at once."""

    def __init__(self, ms: int) -> None:
        super().__init__()
        self._ms = ms
        self._number = 0

    async def read(self) -> AudioFrame:
        self._number += 1
        await asyncio.sleep(max(0.0, self._number * self._ms / 1000 - asyncio.get_running_loop().time()))
        return AudioFrame(silence(self._ms * 48), SAMPLE_RATE)


@pytest.mark.parametrize("ms", [0, 10, 20, 25, 60, 100])
def test_what_comes_in_one_piece_leaves_in_real_time(ms: int) -> None:
    async def main() -> list[float]:
        reader = EvenReader(Metronome(ms))
        times = []
        for _ in range(50):
            await reader.read()
            times.append(asyncio.get_running_loop().time())
        return times

    gaps = np.diff(run_skipping(main()))
    assert gaps.mean() == pytest.approx(0.02, abs=0.0005)
    assert gaps.max() <= 0.0251
    assert gaps.min() >= 0.0049  # after the fourth frame of 25 ms two are due, and the next one comes on time
