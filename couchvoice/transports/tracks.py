"""Between frames and aiortc's tracks: both ends of a call use it in the same way.

Law: what goes out is 20 ms of mono at 48 kHz, always (aiortc gives all packets of a longer frame one RTP timestamp);
what comes in has its gaps named, so that the timeline stays whole. A better receive path replaces ``read_track``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.resample import Resampler

log = logging.getLogger("couchvoice.transports.tracks")

LONGEST_WAIT = 0.5  # seconds for a frame; Opus sends one each 0.4 s in a pause (DTX)

_TIME_BASE = Fraction(1, SAMPLE_RATE)


class SourceTrack(MediaStreamTrack):
    """Sends what ``read`` returns; ``read`` paces itself."""

    kind = "audio"

    def __init__(self, read: Callable[[], Awaitable[AudioFrame]]) -> None:
        super().__init__()
        self._read = read
        self._timestamp = 0

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        frame = await self._read()
        if frame.rate != SAMPLE_RATE or frame.samples.size != FRAME_SAMPLES:
            raise ValueError(f"a frame of {frame.samples.size} samples at {frame.rate} Hz cannot be sent")
        sent = av.AudioFrame.from_ndarray(frame.samples.reshape(1, -1), format="s16", layout="mono")
        sent.sample_rate, sent.time_base, sent.pts = SAMPLE_RATE, _TIME_BASE, self._timestamp
        self._timestamp += FRAME_SAMPLES
        return sent


async def read_track(
    track: MediaStreamTrack, on_frame: Callable[[AudioFrame], None], on_gap: Callable[[float], None]
) -> None:
    """Hand out the track's sound until it ends; ``on_gap(ms)`` comes before the frame that follows a gap.

    A far end that sends nothing while it is silent is silent: ``on_gap`` comes for each LONGEST_WAIT.
    """
    expected: int | None = None
    rate = SAMPLE_RATE
    resampler: Resampler | None = None
    while True:
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                frame = await track.recv()
        except MediaStreamError:
            return
        except TimeoutError:
            if expected is not None:
                expected += int(rate * LONGEST_WAIT)
                on_gap(LONGEST_WAIT * 1000)
            continue
        assert isinstance(frame, av.AudioFrame)  # an audio track decodes to audio frames
        samples = _mono(frame)
        if expected is not None and frame.pts is not None and frame.pts > expected:
            on_gap((frame.pts - expected) * 1000 / frame.sample_rate)
        expected, rate = (frame.pts or 0) + samples.size, frame.sample_rate
        if frame.sample_rate != SAMPLE_RATE:
            # G.711 comes at 8 kHz.
            resampler = resampler or Resampler(frame.sample_rate, SAMPLE_RATE)
            samples = resampler.push(samples)
        on_frame(AudioFrame(samples, SAMPLE_RATE))


def _mono(frame: av.AudioFrame) -> NDArray[np.int16]:
    """aiortc decodes to packed s16: Opus to stereo, G.711 to mono."""
    channels = len(frame.layout.channels)
    samples: NDArray[np.int16] = frame.to_ndarray().reshape(-1, channels).astype(np.int16, copy=False)
    if channels == 1:
        return samples[:, 0]
    # In whole numbers: a mean in floating point takes three times as long, 50 times a second in each call.
    mixed: NDArray[np.int16] = (samples.sum(axis=1, dtype=np.int32) // channels).astype(np.int16)
    return mixed
