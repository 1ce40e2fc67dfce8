"""A far end on a virtual clock: packets with arrival times, and a listener that pulls blocks in between.

The packets are real Opus by their headers; ``NumberedDecoder`` stands in for libopus where a test wants to know which
packet each sample came from. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, silence
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.audio.receive import ReceiveBuffer

BLOCK = 480
SSRC = 7
FIRST_SEQUENCE = 0xFFF0  # both counters wrap soon
FIRST_TIMESTAMP = 2**32 - 5 * FRAME_SAMPLES

_TOC = 0xF8  # RFC 6716 §3.1: CELT, fullband, 20 ms, mono, one frame
_LOUDEST = 20_000
_QUIETEST = 1_000


def numbered(number: int, *, ssrc: int = SSRC, skipped: int = 0) -> MediaPacket:
    """The packet of this number; ``skipped``: frames that the far end did not send before it (DTX)."""
    return MediaPacket(
        ssrc,
        (FIRST_SEQUENCE + number) % 2**16,
        (FIRST_TIMESTAMP + (number + skipped) * FRAME_SAMPLES) % 2**32,
        bytes([_TOC]) + number.to_bytes(4, "big"),
    )


def level(number: int) -> int:
    """How loud each sample of this packet is: it tells neighbours apart."""
    return _QUIETEST + number * 37 % (_LOUDEST - _QUIETEST)


class NumberedDecoder:
    """Each packet decodes to a constant that tells its number; what is guessed at is zero."""

    decoded: list[int]  # of all instances, set by the test

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        number = int.from_bytes(payload[1:5], "big")
        self.decoded.append(number)
        return np.full(FRAME_SAMPLES, level(number), dtype=np.int16)

    def recover(self, following: bytes, samples: int) -> NDArray[np.int16]:
        raise AssertionError("these packets carry no FEC")

    def conceal(self, samples: int) -> NDArray[np.int16]:
        return silence(samples)


@dataclass(frozen=True)
class Arrival:
    """``at``: seconds since the far end began."""

    at: float
    packet: MediaPacket


class Listener:
    """Pulls in real time that is not real; ``rate`` is its clock's, in units of the far end's."""

    def __init__(self, *, block: int = BLOCK, rate: float = 1.0) -> None:
        self.buffer = ReceiveBuffer()
        self.now = 0.0
        self._block = block
        self._rate = rate

    def listen(self, arrivals: Iterable[Arrival], *, until: float) -> NDArray[np.int16]:
        """What is heard until then."""
        waiting = sorted(arrivals, key=lambda arrival: arrival.at)
        heard = [silence(0)]
        while self.now < until:
            while waiting and waiting[0].at <= self.now:
                self.buffer.put(waiting.pop(0).packet)
            block = self.buffer.pull(self._block)
            assert block.size == self._block
            heard.append(block)
            self.now += self._block / SAMPLE_RATE / self._rate
        return np.concatenate(heard)


def on_time(packets: Iterable[MediaPacket], *, first: float = 0.0) -> list[Arrival]:
    return [Arrival(first + number * FRAME_SAMPLES / SAMPLE_RATE, packet) for number, packet in enumerate(packets)]
