"""Opus packets made and read with PyAV, for peers that carry them and cannot code.

Not aiortc's codec: what it makes of sound, and makes sound of, is judged here by another caller of libopus.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE
from tests.e2e.talk import LOUD

FRAME_MS = 1000 * FRAME_SAMPLES // SAMPLE_RATE

_BIT_RATE = 32_000  # bit/s
_VOIP = {"application": "voip", "frame_duration": str(FRAME_MS)}


def encoded(samples: NDArray[np.int16]) -> list[bytes]:
    """One packet for each 20 ms of mono at 48 kHz; what is left over is not said."""
    codec = _codec("w")
    codec.bit_rate, codec.options = _BIT_RATE, _VOIP
    packets: list[bytes] = []
    for start in range(0, samples.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + FRAME_SAMPLES], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), start
        packets += (bytes(packet) for packet in codec.encode(frame))
    return packets


class Ear:
    """Hears the packets of one track as they come."""

    def __init__(self) -> None:
        self.loud_ms = 0
        self._codec = _codec("r")

    def hear(self, payload: bytes) -> None:
        for frame in self._codec.decode(av.Packet(payload)):
            assert isinstance(frame, av.AudioFrame)  # Opus has no pictures
            if np.sqrt(np.mean(frame.to_ndarray().astype(np.float64) ** 2)) > LOUD:
                self.loud_ms += FRAME_MS


def _codec(mode: Literal["r", "w"]) -> av.AudioCodecContext:
    codec = av.CodecContext.create("libopus", mode)
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = SAMPLE_RATE, "mono", "s16"
    return codec
