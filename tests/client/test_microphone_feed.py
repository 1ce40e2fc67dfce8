"""What leaves the machine: even frames, true silence while the user is not meant, nothing after the end."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.audio.echo import Unprotected
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.source import SilentSource
from couchvoice.client.microphone_feed import MicrophoneFeed
from couchvoice.errors import AudioDeviceError, CouchvoiceError


class Shouting(SilentSource):
    """The loudest there is, unpaced, in frames of the given lengths over and over."""

    def __init__(self, *lengths: int) -> None:
        super().__init__()
        self._lengths = lengths or (FRAME_SAMPLES,)
        self.read_count = 0

    async def read(self) -> AudioFrame:
        length = self._lengths[self.read_count % len(self._lengths)]
        self.read_count += 1
        return AudioFrame(np.full(length, 32767, dtype=np.int16), SAMPLE_RATE)


def feed(source: SilentSource, *, meant: list[bool], failures: list[CouchvoiceError] | None = None) -> MicrophoneFeed:
    wishes = iter(meant)
    return MicrophoneFeed(
        source,
        echo=Unprotected(),
        is_meant=lambda: next(wishes),
        fail=(failures if failures is not None else []).append,
    )


@pytest.mark.row("B5", "B15")
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_silence_is_true_and_begins_and_ends_with_a_frame(meant: list[bool]) -> None:
    async def main() -> list[AudioFrame]:
        microphone = feed(Shouting(), meant=meant)
        return [await microphone.read() for _ in meant]

    frames = asyncio.run(main())
    assert [int(frame.samples.max()) for frame in frames] == [32767 * wish for wish in meant]
    assert {(frame.samples.size, frame.rate) for frame in frames} == {(FRAME_SAMPLES, SAMPLE_RATE)}


@pytest.mark.row("B5")
async def test_what_was_heard_before_the_silence_ended_is_not_sent_after_it() -> None:
    source = Shouting(FRAME_SAMPLES)
    microphone = feed(source, meant=[False, False, True])
    for _ in range(3):
        await microphone.read()
    assert source.read_count == 3


async def test_a_long_frame_is_silenced_in_its_midst() -> None:
    microphone = feed(Shouting(5 * FRAME_SAMPLES), meant=[True, False, True])
    assert [int((await microphone.read()).samples.max()) for _ in range(3)] == [32767, 0, 32767]


async def test_a_source_of_nonsense_ends_the_talk_with_a_reason() -> None:
    class Nonsense(SilentSource):
        async def read(self) -> AudioFrame:
            return AudioFrame(np.zeros(FRAME_SAMPLES), SAMPLE_RATE)  # type: ignore[arg-type]

    failures: list[CouchvoiceError] = []
    reading = asyncio.create_task(feed(Nonsense(), meant=[], failures=failures).read())
    await asyncio.sleep(0)
    reading.cancel()
    (failure,) = failures
    assert isinstance(failure, AudioDeviceError)
    assert "int16 samples, not float64" in str(failure)
