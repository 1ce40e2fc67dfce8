"""Packets on their way to the decoder: ordered by RTP sequence number, timed by RTP timestamp, both unwrapped.

Not a decision about time: who takes a packet, and when, stands in ``receive``. Law: a packet is handed out once and in
order; what comes twice, too late, or is no Opus, is counted and gone; what waits is bounded.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from operator import attrgetter

from couchvoice.audio.opus import packet_samples

LIMIT_MS = 2000  # ms of sound that may wait; beyond, the oldest is dropped

_PER_MS = 48  # RFC 7587 §4.1: the RTP clock of Opus runs at 48 kHz, whatever it was made of
_LIMIT = LIMIT_MS * _PER_MS
_SEQUENCE_BITS = 16
_TIMESTAMP_BITS = 32


@dataclass(frozen=True, slots=True)
class MediaPacket:
    """One RTP packet of Opus (RFC 3550 §5.1): what the receive path needs of it."""

    ssrc: int
    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class TimedPacket:
    """A packet on the stream's own timeline: numbers that never wrap, times in samples at 48 kHz."""

    sequence: int
    start: int
    end: int
    payload: bytes


@dataclass(slots=True)
class StreamCounts:
    """What happened so far, over all streams of a call; durations in samples at 48 kHz."""

    played: int = 0
    concealed: int = 0
    recovered: int = 0
    stretched: int = 0
    dropped: int = 0
    underruns: int = 0
    lost: int = 0
    late: int = 0
    duplicate: int = 0
    invalid: int = 0


class Unwrapper:
    """RFC 3550 §A.1: a counter of so many bits, as a number that goes on. The nearest reading is the right one."""

    def __init__(self, bits: int) -> None:
        self._modulus = 1 << bits
        self._newest: int | None = None

    def unwrap(self, value: int) -> int:
        if self._newest is None:
            # One round above zero: what is older than the first packet is no negative number.
            self._newest = value + self._modulus
        ahead = (value - self._newest) % self._modulus
        if ahead >= self._modulus // 2:
            return self._newest + ahead - self._modulus
        self._newest += ahead
        return self._newest


class PacketBuffer:
    """One stream (SSRC) at a time: begin a new buffer for another one."""

    def __init__(self, counts: StreamCounts) -> None:
        self._counts = counts
        self._sequences = Unwrapper(_SEQUENCE_BITS)
        self._timestamps = Unwrapper(_TIMESTAMP_BITS)
        self._waiting: list[TimedPacket] = []  # by sequence
        self._next_sequence = 0  # everything before it was handed out or given up

    @property
    def first(self) -> TimedPacket | None:
        return self._waiting[0] if self._waiting else None

    @property
    def second(self) -> TimedPacket | None:
        return self._waiting[1] if len(self._waiting) > 1 else None

    @property
    def end(self) -> int | None:
        """Where the sound that waits ends."""
        return self._waiting[-1].end if self._waiting else None

    def timed(self, packet: MediaPacket) -> TimedPacket | None:
        """The packet on this stream's timeline; None (and counted) for what is no Opus."""
        samples = packet_samples(packet.payload)
        if not samples:
            self._counts.invalid += 1
            return None
        start = self._timestamps.unwrap(packet.timestamp)
        return TimedPacket(self._sequences.unwrap(packet.sequence), start, start + samples, packet.payload)

    def put(self, packet: TimedPacket) -> bool:
        """Keep it. False: it came twice, or too late."""
        if packet.sequence < self._next_sequence:
            self._counts.late += 1
            return False
        at = bisect_left(self._waiting, packet.sequence, key=_SEQUENCE)
        if at < len(self._waiting) and self._waiting[at].sequence == packet.sequence:
            self._counts.duplicate += 1
            return False
        insort(self._waiting, packet, key=_SEQUENCE)
        while self._waiting[-1].end - self._waiting[0].start > _LIMIT and len(self._waiting) > 1:
            lost = self.pop()
            self._counts.dropped += lost.end - lost.start
        return True

    def pop(self) -> TimedPacket:
        """Hand out the first one: whatever is older is late from now on."""
        packet = self._waiting.pop(0)
        self._next_sequence = packet.sequence + 1
        return packet

    def sequence_before(self, packet: TimedPacket) -> int | None:
        """Of the packet that was handed out or waits before this one. None: there was none."""
        at = bisect_left(self._waiting, packet.sequence, key=_SEQUENCE)
        if at:
            return self._waiting[at - 1].sequence
        return self._next_sequence - 1 if self._next_sequence else None


_SEQUENCE = attrgetter("sequence")
