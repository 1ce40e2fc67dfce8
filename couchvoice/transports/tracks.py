"""Between frames and aiortc's tracks: both ends of a call use it in the same way.

Law: what goes out is 20 ms of mono at 48 kHz, always (aiortc gives all packets of a longer frame one RTP timestamp);
what comes in has its gaps named, so that the timeline stays whole. A better receive path replaces ``read_track``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.opus import Bandwidth, OpusUnavailable
from couchvoice.audio.resample import Resampler
from couchvoice.audio.voice_encoder import VoiceEncoder
from couchvoice.transports.opus_format import agreed_opus, reported_loss

log = logging.getLogger("couchvoice.transports.tracks")

LONGEST_WAIT = 0.5  # seconds for a frame; Opus sends one each 0.4 s in a pause (DTX)
LOSS_INTERVAL = SAMPLE_RATE  # samples between two looks at the far end's report, which comes about once a second

_TIME_BASE = Fraction(1, SAMPLE_RATE)


class SourceTrack(MediaStreamTrack):
    """Sends what ``read`` returns; ``read`` paces itself.

    aiortc encodes it, at 96 kb/s in stereo and without FEC, unless ``encode_opus`` was called. A packet of ours lacks
    the audio level (RFC 6464): mixers of many speakers read it, and there is none in a call of two.
    """

    kind = "audio"

    def __init__(self, read: Callable[[], Awaitable[AudioFrame]]) -> None:
        super().__init__()
        self._read = read
        self._timestamp = 0
        self._encoder: VoiceEncoder | None = None
        self._sender: RTCRtpSender | None = None
        self._last_report: object = None

    def encode_opus(self, peer: RTCPeerConnection, transceiver: RTCRtpTransceiver, bandwidth: Bandwidth) -> None:
        """Encode here if Opus was agreed on; to be called when the far end's description is taken."""
        opus = agreed_opus(peer, transceiver)
        if opus is None:
            return
        try:
            self._encoder = VoiceEncoder(bandwidth, fec=opus.fec)
        except OpusUnavailable as exc:
            log.info("- aiortc encodes, without FEC: %s", exc)
            return
        self._sender = transceiver.sender

    async def recv(self) -> av.AudioFrame | av.Packet[Any]:
        if self.readyState != "live":
            raise MediaStreamError
        frame = await self._read()
        if frame.rate != SAMPLE_RATE or frame.samples.size != FRAME_SAMPLES:
            raise ValueError(f"a frame of {frame.samples.size} samples at {frame.rate} Hz cannot be sent")
        sent: av.AudioFrame | av.Packet[Any]
        if self._encoder is not None:
            await self._learn_loss(self._encoder)
            sent = av.Packet(self._encoder.encode(frame.samples))
        else:
            sent = av.AudioFrame.from_ndarray(frame.samples.reshape(1, -1), format="s16", layout="mono")
            sent.sample_rate = SAMPLE_RATE
        sent.time_base, sent.pts = _TIME_BASE, self._timestamp
        self._timestamp += FRAME_SAMPLES
        return sent

    async def _learn_loss(self, encoder: VoiceEncoder) -> None:
        assert self._sender is not None  # whoever has an encoder has a sender
        if self._timestamp % LOSS_INTERVAL:
            return
        report = await reported_loss(self._sender)
        if report is not None and report[0] != self._last_report:
            self._last_report, share = report
            encoder.report_loss(share)


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
