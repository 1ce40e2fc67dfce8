"""The provider's sound as it comes off the wire, kept as Opus packets on a timestamp that never wraps.

What comes as frames (a codec other than Opus) is encoded here. Law: order of arrival, nothing repaired: losses and
jitter are part of what happened.
"""

from __future__ import annotations

import numpy as np

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.opus import OpusEncoder
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.scenario.talk_record import SoundPacket

_BITRATE = 40_000  # bit/s
_COMPLEXITY = 5  # of 10
_WRAP = 1 << 32  # RFC 3550 §5.1: the timestamp has 32 bits


class Incoming:
    def __init__(self) -> None:
        self.packets: list[SoundPacket] = []
        self._last: int | None = None  # timestamp on the wire
        self._timestamp = 0
        self._encoder: OpusEncoder | None = None
        self._rest = silence(0)

    def put(self, sound: MediaPacket | AudioFrame, at: float) -> None:
        """``at``: seconds on the timeline."""
        if isinstance(sound, MediaPacket):
            self._put_packet(sound, at)
        else:
            self._put_frame(sound, at)

    def _put_packet(self, packet: MediaPacket, at: float) -> None:
        if self._last is not None:
            # The shortest way round: a packet that was overtaken goes back.
            step = (packet.timestamp - self._last + _WRAP // 2) % _WRAP - _WRAP // 2
            self._timestamp += step
        self._last = packet.timestamp
        self.packets.append(SoundPacket(at, self._timestamp, packet.payload))

    def _put_frame(self, frame: AudioFrame, at: float) -> None:
        assert frame.rate == SAMPLE_RATE  # read_track hands out nothing else
        self._encoder = self._encoder or OpusEncoder(bitrate=_BITRATE, complexity=_COMPLEXITY)
        self._rest = np.concatenate([self._rest, frame.samples])
        while self._rest.size >= FRAME_SAMPLES:
            head, self._rest = self._rest[:FRAME_SAMPLES], self._rest[FRAME_SAMPLES:]
            self.packets.append(SoundPacket(at, self._timestamp, self._encoder.encode(head)))
            self._timestamp += FRAME_SAMPLES
