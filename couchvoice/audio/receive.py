"""The receive buffer: RTP packets in, an unbroken stream of sound out, at the pace of whoever pulls.

Put on the event loop, pulled in the card's thread. There is no clock here: time passes as samples are pulled, so jitter
of the network, of the card's blocks, and drift between both ends' crystals are one and the same thing.
Law: a pull gets as many samples as it asked for and never waits; what was here at a flush is not heard any more, but
for a short fade; what waits is bounded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, is_audible, silence
from couchvoice.audio.packet_buffer import MediaPacket, StreamCounts
from couchvoice.audio.stream_player import StreamPlayer

MAX_INBOX = 256  # packets that nobody has pulled for: 5 s of sound, the oldest are lost
FADE_MS = 5  # ms of fade-out at a flush
AFTERMATH_MS = 300  # ms after a flush in which the far end's old sound may still be on its way

_PER_MS = SAMPLE_RATE // 1000
_FADE_OUT = np.linspace(1.0, 0.0, FADE_MS * _PER_MS, dtype=np.float32)
_AFTERMATH = AFTERMATH_MS * _PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveCounters:
    """What happened so far. All durations are of sound that was handed out, but for what was dropped."""

    played_ms: int = 0  # of what came, decoded
    concealed_ms: int = 0  # guessed, or comfort noise, where speech may have been
    recovered_ms: int = 0  # from in-band FEC
    stretched_ms: int = 0  # added or left out to correct the delay
    dropped_ms: int = 0  # because too much was waiting
    underruns: int = 0  # sound was torn because nothing had come
    lost_packets: int = 0  # that were not there in time
    late_packets: int = 0  # that came all the same
    duplicate_packets: int = 0
    invalid_packets: int = 0
    delay_ms: int = 0  # at present, from a typical packet's arrival to its sound


class ReceiveBuffer:
    """One producer (``put`` and ``flush``), one consumer (``pull``), no lock: what lies between them is a deque."""

    def __init__(self) -> None:
        self._inbox: deque[MediaPacket] = deque(maxlen=MAX_INBOX)
        self._flushes = 0  # written by the producer
        # All that follows is written by the consumer.
        self._flushes_seen = 0
        self._counts = StreamCounts()
        self._player = StreamPlayer(self._counts)
        self._ssrc: int | None = None
        self._ready = silence(0)  # made, not yet pulled
        self._pulled = 0
        self._void_until: int | None = None  # while nothing is to be heard: a place on the stream's timeline
        self._void_pulls = 0  # samples that were taken since the flush
        self._counters = ReceiveCounters()

    @property
    def counters(self) -> ReceiveCounters:
        """A snapshot as of the last pull, from any thread."""
        return self._counters

    def put(self, packet: MediaPacket) -> None:
        """A packet came, in whatever order. Never raises."""
        self._inbox.append(packet)

    def flush(self) -> None:
        """Nothing of what is here will be heard, nor what is still on its way of it: a fade, then silence."""
        self._flushes += 1

    def pull(self, samples: int) -> NDArray[np.int16]:
        """The next samples at 48 kHz: exactly that many. Never raises."""
        self._take_in()
        while self._ready.size < samples:
            piece = self._player.next_piece(self._pulled + self._ready.size, samples)
            self._ready = np.concatenate([self._ready, piece])
        out, self._ready = self._ready[:samples].copy(), self._ready[samples:]
        self._pulled += samples
        self._counters = self._count()
        return self._voided(out)

    def _take_in(self) -> None:
        while self._inbox:
            packet = self._inbox.popleft()
            if packet.ssrc != self._ssrc or self._player.restarted:
                self._ssrc = packet.ssrc
                self._player = StreamPlayer(self._counts)
                self._void_until = None
            self._player.put(packet, self._pulled)

    def _voided(self, out: NDArray[np.int16]) -> NDArray[np.int16]:
        """What is left of ``out`` after a flush."""
        if self._flushes != self._flushes_seen:
            self._flushes_seen = self._flushes
            self._void_until, self._void_pulls = self._player.end, 0
            out[: _FADE_OUT.size] = out[: _FADE_OUT.size] * _FADE_OUT[: out.size]
            out[_FADE_OUT.size :] = 0
            return out
        if self._void_until is None:
            return out
        self._void_pulls += out.size
        playhead = self._player.playhead
        passed = playhead is None or playhead - self._ready.size >= self._void_until
        if passed and (self._void_pulls > _AFTERMATH or not is_audible(out)):
            self._void_until = None
        return silence(out.size)

    def _count(self) -> ReceiveCounters:
        counts = self._counts
        return ReceiveCounters(
            played_ms=counts.played // _PER_MS,
            concealed_ms=counts.concealed // _PER_MS,
            recovered_ms=counts.recovered // _PER_MS,
            stretched_ms=counts.stretched // _PER_MS,
            dropped_ms=counts.dropped // _PER_MS,
            underruns=counts.underruns,
            lost_packets=counts.lost,
            late_packets=counts.late,
            duplicate_packets=counts.duplicate,
            invalid_packets=counts.invalid,
            delay_ms=round(self._player.delay_ms),
        )
