"""Ours: couchvoice's receive buffer as it is, on the clock of the trace."""

from __future__ import annotations

from dataclasses import asdict

from couchvoice.audio.frames import FRAME_MS
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.audio.receive import ReceiveBuffer
from tests.bench.heard import PHASE, Heard, pulled
from tests.bench.speech import Samples
from tests.bench.trace import SSRC, Packet, Trace


class OurReceiver:
    def __init__(self) -> None:
        self.buffer = ReceiveBuffer()

    @property
    def torn(self) -> int:
        return self.buffer.counters.underruns

    def put(self, packet: Packet, at: float) -> None:
        self.buffer.put(MediaPacket(SSRC, packet.sequence, packet.timestamp, packet.payload))

    def pull(self, samples: int) -> Samples:
        return self.buffer.pull(samples)


def receive(trace: Trace) -> Heard:
    receiver = OurReceiver()
    samples = pulled(receiver, trace)
    counters = receiver.buffer.counters
    return Heard(samples, PHASE, counters.concealed_ms / FRAME_MS, asdict(counters))
