"""Heard: what comes out of a receiver, on the clock of the trace; and the card that pulls it out.

Law: all receivers are pulled in the same way, BLOCK by BLOCK, so that they differ by themselves alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tests.bench.speech import RATE, Samples
from tests.bench.trace import Packet, Trace

BLOCK = RATE // 100  # samples: what a card asks for at a time
PHASE = 0.0037  # seconds: the card's clock and the sender's know nothing of each other
AFTER = 1.5  # seconds that are pulled when all has been said


@dataclass(frozen=True, slots=True)
class Heard:
    """48 kHz; the first sample is heard ``began`` seconds after the first packet was sent.

    ``missing``: frames of the speech that came neither from their packet nor from FEC. ``details`` are the receiver's
    own counters.
    """

    samples: Samples
    began: float
    missing: float
    details: dict[str, float] = field(default_factory=dict)


class Receiver(Protocol):
    def put(self, packet: Packet, at: float) -> None: ...

    def pull(self, samples: int) -> Samples: ...


def pulled(receiver: Receiver, trace: Trace, *, drift: float = 0.0) -> Samples:
    """All that a receiver plays of a trace, without waiting for it. ``drift``: how much faster the card runs."""
    arrivals = iter(trace.arrivals)
    coming = next(arrivals, None)
    blocks: list[Samples] = []
    block_seconds = BLOCK / RATE / (1 + drift)
    for number in range(round((trace.speech.samples.size / RATE + AFTER) / block_seconds)):
        now = PHASE + number * block_seconds
        while coming is not None and coming[0] <= now:
            receiver.put(coming[1], coming[0])
            coming = next(arrivals, None)
        blocks.append(receiver.pull(BLOCK))
    return np.concatenate(blocks)
