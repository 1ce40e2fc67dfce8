"""G.711: eight bits for a sample at 8 kHz, in the µ-law and the A-law.

Law: decoding is ITU-T G.711's table; encoding takes the nearest value of that table, so that a code survives the
round trip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 8000  # Hz

_SIGN, _SEGMENT, _MANTISSA = 0x80, 0x70, 0x0F
_SEGMENT_SHIFT = 4
_MU_BIAS = 0x84
_A_EVEN_BITS = 0x55  # inverted on the wire


class Law:
    """One of the two: a value for each of 256 codes."""

    def __init__(self, values: NDArray[np.int16]) -> None:
        self._values = values
        self._codes = np.argsort(values, kind="stable").astype(np.uint8)
        ascending = values[self._codes].astype(np.int32)
        self._edges = (ascending[:-1] + ascending[1:]) / 2

    def decode(self, codes: bytes) -> NDArray[np.int16]:
        return self._values[np.frombuffer(codes, np.uint8)]

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        # "right": zero becomes the µ-law's positive zero, 0xFF, which is what silence looks like on a line.
        return self._codes[np.searchsorted(self._edges, samples, side="right")].tobytes()


def _mu_law() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.uint8)
    segment = (codes & _SEGMENT).astype(np.int32) >> _SEGMENT_SHIFT
    magnitude = (((codes & _MANTISSA).astype(np.int32) << 3) + _MU_BIAS << segment) - _MU_BIAS
    return np.where(codes & _SIGN, -magnitude, magnitude).astype(np.int16)


def _a_law() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.uint8) ^ _A_EVEN_BITS
    segment = (codes & _SEGMENT).astype(np.int32) >> _SEGMENT_SHIFT
    mantissa = ((codes & _MANTISSA).astype(np.int32) << 4) + 8
    magnitude = np.where(segment, (mantissa + 0x100) << np.maximum(segment - 1, 0), mantissa)
    return np.where(codes & _SIGN, magnitude, -magnitude).astype(np.int16)


MU_LAW = Law(_mu_law())
A_LAW = Law(_a_law())
