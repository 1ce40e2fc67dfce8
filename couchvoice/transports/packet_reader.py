"""Packets read as sound, in order and at once: for an end that listens and has no loudspeaker to feed evenly.

What is missing is waited for only as long as packets may be out of order; then it is recovered from the next packet,
guessed at, or named as a gap. Law: a packet is decoded once and in order, and the timeline of what is handed out is the
far end's, silence included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from aiortc import RTCRtpReceiver
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.opus import InvalidPacket, OpusDecoder, OpusUnavailable, has_fec
from couchvoice.audio.packet_buffer import MediaPacket, PacketBuffer, StreamCounts, TimedPacket
from couchvoice.transports.packet_tap import tap_packets

DISORDER_MS = 60  # ms of later sound that are here until a packet counts as lost
OVERDUE = 0.1  # seconds without any packet; later the order does not get better
LONGEST_WAIT = 0.5  # seconds without any packet that are told as silence, over and over
GUESS_LIMIT_MS = 100  # ms of a gap that are guessed at
RESTART = 25  # packets in a row that are too late: the far end has begun its numbers anew

_PER_MS = SAMPLE_RATE // 1000
_DISORDER = DISORDER_MS * _PER_MS
_GUESS_LIMIT = GUESS_LIMIT_MS * _PER_MS
_OPUS_UNIT = SAMPLE_RATE // 400  # libopus makes up multiples of 2.5 ms


def read_packets(
    receiver: RTCRtpReceiver, on_frame: Callable[[AudioFrame], None], on_gap: Callable[[float], None]
) -> PacketReader | None:
    """Read what comes to this receiver from now on. None: its packets cannot be had, only its track."""
    try:
        reader = PacketReader(on_frame, on_gap)
    except OpusUnavailable:
        return None
    return reader if tap_packets(receiver, reader.put) else None


class PacketReader:
    """``on_frame`` gets 48 kHz mono sound, ``on_gap`` the ms of silence before the next frame. Close it."""

    def __init__(self, on_frame: Callable[[AudioFrame], None], on_gap: Callable[[float], None]) -> None:
        self._on_frame = on_frame
        self._on_gap = on_gap
        self._ssrc: int | None = None
        self._packets = PacketBuffer(StreamCounts())
        self._decoder = OpusDecoder()
        self._position: int | None = None  # on the far end's timeline: all before it was handed out or named
        self._last_sequence = 0
        self._too_late = 0  # packets in a row
        self._timer: asyncio.TimerHandle | None = None

    def put(self, packet: MediaPacket) -> None:
        """A packet came, in whatever order."""
        if packet.ssrc != self._ssrc or self._too_late >= RESTART:
            self._ssrc, self._too_late, self._position = packet.ssrc, 0, None
            self._packets, self._decoder = PacketBuffer(StreamCounts()), OpusDecoder()
        timed = self._packets.timed(packet)
        if timed is None:
            return
        self._too_late = 0 if self._packets.put(timed) else self._too_late + 1
        self._hand_out(_DISORDER)
        if self._packets.first is not None:
            self._wind(OVERDUE, self._overdue)
        else:
            self._wind(LONGEST_WAIT, self._say_silence)

    def close(self) -> None:
        """Nothing is handed out any more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    def _hand_out(self, patience: int) -> None:
        while (first := self._packets.first) is not None:
            begins = self._position is None
            if not begins and first.sequence > self._last_sequence + 1 and self._waiting(first) < patience:
                return
            if not begins:
                self._bridge(first)
            self._decode(self._packets.pop())

    def _waiting(self, first: TimedPacket) -> int:
        assert self._packets.end is not None  # there is a first one
        return self._packets.end - first.start

    def _bridge(self, first: TimedPacket) -> None:
        """What lies between the last sound and this packet's."""
        assert self._position is not None  # as in _hand_out
        gap = first.start - self._position
        if gap > 0 and first.sequence > self._last_sequence + 1:
            gap -= self._make_up(first, gap)
        if gap > 0:
            self._on_gap(gap / _PER_MS)

    def _make_up(self, first: TimedPacket, gap: int) -> int:
        """Sound for what was lost, and how much of it."""
        recoverable = first.end - first.start if has_fec(first.payload) else 0
        if gap > _GUESS_LIMIT or gap % _OPUS_UNIT:
            return 0
        guessed = 0
        while (rest := gap - guessed) > recoverable:
            guessed += self._tell(self._decoder.conceal(min(FRAME_SAMPLES, rest)))
        if rest:
            self._tell(self._decoder.recover(first.payload, rest))
        return gap

    def _decode(self, packet: TimedPacket) -> None:
        try:
            sound = self._decoder.decode(packet.payload)
        except InvalidPacket:
            sound = self._decoder.conceal(packet.end - packet.start)
        self._position, self._last_sequence = packet.end, packet.sequence
        self._tell(sound)

    def _tell(self, sound: NDArray[np.int16]) -> int:
        self._on_frame(AudioFrame(sound, SAMPLE_RATE))
        return sound.size

    # While nothing comes

    def _wind(self, seconds: float, ring: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, ring)

    def _overdue(self) -> None:
        self._hand_out(0)
        self._wind(LONGEST_WAIT - OVERDUE, self._say_silence)

    def _say_silence(self) -> None:
        assert self._position is not None  # a packet has wound the timer
        self._position += int(LONGEST_WAIT * SAMPLE_RATE)
        self._on_gap(LONGEST_WAIT * 1000)
        self._wind(LONGEST_WAIT, self._say_silence)
