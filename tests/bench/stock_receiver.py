"""Stock: aiortc's jitter buffer and decoder, and the plain loudspeaker queue that a script puts behind its track.

aiortc's own classes with the sizes that its receiver gives them, fed by hand; the decoder's thread and the event loop,
which would add some delay, take no time here. The queue plays what there is, and silence when it is empty.
"""

from __future__ import annotations

import numpy as np
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from tests.bench.heard import PHASE, Heard, pulled
from tests.bench.speech import Samples
from tests.bench.trace import Packet, Trace

CAPACITY, PREFETCH = 16, 4  # packets: RTCRtpReceiver.__init__ of aiortc 1.16 for audio


class StockReceiver:
    def __init__(self) -> None:
        self.frames = 0
        self.torn = 0  # pulls that found too little, since the first sound
        self._jitter_buffer = JitterBuffer(capacity=CAPACITY, prefetch=PREFETCH)
        self._decoder = OpusDecoder()
        self._queue = np.zeros(0, np.int16)

    def put(self, packet: Packet, at: float) -> None:
        rtp = RtpPacket(sequence_number=packet.sequence, timestamp=packet.timestamp, payload=packet.payload)
        rtp._data = packet.payload  # type: ignore[attr-defined]  # what its receiver does after depayload()
        _, encoded = self._jitter_buffer.add(rtp)
        if encoded is None:
            return
        for frame in self._decoder.decode(encoded):
            self.frames += 1
            left: Samples = frame.to_ndarray().reshape(-1, 2)[:, 0]  # type: ignore[union-attr]  # an AudioFrame
            self._queue = np.concatenate([self._queue, left])

    def pull(self, samples: int) -> Samples:
        out = np.zeros(samples, np.int16)
        played = self._queue[:samples]
        out[: played.size] = played
        self.torn += self.frames > 0 and played.size < samples
        self._queue = self._queue[samples:]
        return out


def receive(trace: Trace) -> Heard:
    receiver = StockReceiver()
    samples = pulled(receiver, trace)
    # The last PREFETCH packets stay in the buffer for want of more.
    missing = len(trace.packets) - PREFETCH - receiver.frames
    return Heard(samples, PHASE, max(0, missing), {"frames": receiver.frames})
