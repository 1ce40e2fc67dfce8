"""Between frames and tracks: 20 ms of mono out, gaps named in."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.transports import tracks
from couchvoice.transports.tracks import SourceTrack, read_track
from tests.audio.tones import pcm16, strongest_hertz, tone
from tests.patience import until


class Recorded(MediaStreamTrack):
    """What a decoder would give: frames of one rate and layout, each at its timestamp."""

    kind = "audio"

    def __init__(self, *, rate: int = SAMPLE_RATE, channels: int = 2, timestamps: list[int | None], size: int) -> None:
        super().__init__()
        self._frames = iter(timestamps)
        self._rate, self._channels, self._size = rate, channels, size
        self._number = 0

    async def recv(self) -> av.AudioFrame:
        try:
            timestamp = next(self._frames)
        except StopIteration:
            raise MediaStreamError from None
        sound = tone((self._number + 1) * self._size / self._rate, rate=self._rate)[-self._size :]
        samples = np.repeat(pcm16(sound), self._channels)
        layout = "stereo" if self._channels == 2 else "mono"
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), timestamp
        self._number += 1
        return frame


async def heard(track: MediaStreamTrack) -> list[AudioFrame | float]:
    """Frames and gaps (ms), in order."""
    story: list[AudioFrame | float] = []
    await read_track(track, story.append, story.append)
    return story


def gaps(story: list[AudioFrame | float]) -> list[float]:
    return [part for part in story if isinstance(part, float)]


def sound(story: list[AudioFrame | float]) -> np.ndarray:
    return np.concatenate([part.samples for part in story if isinstance(part, AudioFrame)])


async def test_what_is_sent_is_20_ms_of_mono_at_48_khz_with_a_timestamp_that_counts_samples():
    frames = [AudioFrame(pcm16(tone(0.02, hertz=hertz)), SAMPLE_RATE) for hertz in (400, 500, 600)]
    given = iter(frames)

    async def read() -> AudioFrame:
        return next(given)

    track = SourceTrack(read)
    sent = [await track.recv() for _ in frames]
    assert [frame.pts for frame in sent] == [0, FRAME_SAMPLES, 2 * FRAME_SAMPLES]
    assert {(frame.sample_rate, frame.samples, frame.layout.name, frame.format.name) for frame in sent} == {
        (SAMPLE_RATE, FRAME_SAMPLES, "mono", "s16")
    }
    assert all(np.array_equal(a.to_ndarray()[0], b.samples) for a, b in zip(sent, frames, strict=True))


@pytest.mark.parametrize(("seconds", "rate"), [(0.01, 48_000), (0.04, 48_000), (0.1, 48_000), (0.02, 16_000)])
async def test_a_frame_of_another_length_is_refused_instead_of_sent_in_shreds(seconds: float, rate: int):
    async def read() -> AudioFrame:
        return AudioFrame(pcm16(tone(seconds, rate=rate)), rate)

    with pytest.raises(ValueError, match="cannot be sent"):
        await SourceTrack(read).recv()


async def test_a_track_that_was_stopped_sends_nothing():
    async def read() -> AudioFrame:
        raise AssertionError("nobody may read the microphone any more")

    track = SourceTrack(read)
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


@pytest.mark.parametrize("channels", [1, 2])
async def test_what_is_heard_is_mono_at_48_khz(channels: int):
    story = await heard(Recorded(channels=channels, timestamps=[k * 960 for k in range(25)], size=960))
    assert gaps(story) == []
    assert np.abs(sound(story) - pcm16(tone(0.5)).astype(int)).max() <= 1


async def test_sound_at_8_khz_is_resampled():
    story = await heard(Recorded(rate=8_000, channels=1, timestamps=[k * 160 for k in range(50)], size=160))
    assert sound(story).size == pytest.approx(SAMPLE_RATE, abs=SAMPLE_RATE // 50)
    assert strongest_hertz(sound(story)) == pytest.approx(440, abs=3)
    assert gaps(story) == []


async def test_a_gap_is_named_before_the_frame_that_follows_it():
    story = await heard(Recorded(timestamps=[0, 960, 960 * 4, 960 * 5], size=960))
    assert [part if isinstance(part, float) else "sound" for part in story] == [
        "sound",
        "sound",
        40.0,
        "sound",
        "sound",
    ]


async def test_a_gap_is_measured_in_the_time_of_the_codec():
    story = await heard(Recorded(rate=8_000, channels=1, timestamps=[0, 160 * 3], size=160))
    assert gaps(story) == [40.0]


async def test_a_timestamp_that_goes_back_or_is_missing_is_no_gap():
    story = await heard(Recorded(timestamps=[960 * 9, 0, None, 960], size=960))
    assert gaps(story) == []


async def test_a_far_end_that_sends_nothing_while_it_is_silent_is_silent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tracks, "LONGEST_WAIT", 0.02)
    track = Pausing(timestamps=[0, FRAME_SAMPLES], size=FRAME_SAMPLES)
    story: list[AudioFrame | float] = []
    listening = asyncio.create_task(read_track(track, story.append, story.append))
    await until(lambda: len(gaps(story)) >= 3)
    track.resume()
    await listening
    assert gaps(story)[:3] == [20.0] * 3
    assert isinstance(story[-1], AudioFrame)


class Pausing(Recorded):
    """Its last frame waits to be told."""

    def __init__(self, *, timestamps: list[int | None], size: int) -> None:
        super().__init__(timestamps=timestamps, size=size)
        self._given, self._length = 0, len(timestamps)
        self._pause = asyncio.Event()

    def resume(self) -> None:
        self._pause.set()

    async def recv(self) -> av.AudioFrame:
        if self._given == self._length - 1:
            await self._pause.wait()
        self._given += 1
        return await super().recv()
