"""The sound of a cassette: its packets decoded onto its timeline.

Law: zero is the cassette's zero; what was lost on the way when it was recorded is silence here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, is_audible, silence
from couchvoice.audio.opus import InvalidPacket, OpusDecoder
from couchvoice.cassette import Packet

MAX_SECONDS = 4 * 3600  # of a cassette; a time beyond is nonsense in a file, and would take all memory


class Reel:
    def __init__(self, packets: Iterable[Packet]) -> None:
        pieces = sorted(_decoded(packets), key=lambda piece: piece[0])
        end = max((start + samples.size for start, samples in pieces), default=0)
        self._samples = silence(max(0, min(end, MAX_SECONDS * SAMPLE_RATE)))
        for start, samples in pieces:
            skipped = max(0, -start)
            place = self._samples[start + skipped : start + samples.size]
            place[:] = samples[skipped : skipped + place.size]

    @property
    def size(self) -> int:
        """In samples."""
        return self._samples.size

    def cut(self, start: int, samples: int) -> NDArray[np.int16]:
        """So many from there on, silence where there are none."""
        out = silence(samples)
        found = self._samples[max(0, start) : max(0, start + samples)]
        out[: found.size] = found
        return out

    def is_silent(self, start: int, end: int) -> bool:
        return not is_audible(self._samples[max(0, start) : max(0, end)])


def _decoded(packets: Iterable[Packet]) -> Iterable[tuple[int, NDArray[np.int16]]]:
    """Where each piece stands, by the sender's clock: arrival is jitter."""
    decoder: OpusDecoder | None = None
    zero: int | None = None
    for packet in packets:
        decoder = decoder or OpusDecoder()
        if zero is None:
            zero = packet.timestamp - round(packet.at * SAMPLE_RATE)
        with contextlib.suppress(InvalidPacket):
            yield packet.timestamp - zero, decoder.decode(packet.payload)
