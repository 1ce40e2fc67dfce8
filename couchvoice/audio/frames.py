"""The one shape of sound inside the house, and its conversions at the border.

Everything between the card and the wire is an AudioFrame: int16, one channel, with its rate. Floats, bytes and
base64 exist only where a library or a protocol demands them.
Law: a conversion never wraps around; what does not fit is clamped, what is not a number is silence.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.errors import CouchvoiceError

SAMPLE_RATE = 48_000  # Hz
FRAME_MS = 20  # ms
FRAME_SAMPLES = SAMPLE_RATE * FRAME_MS // 1000
AUDIBLE_PEAK = 100  # of 32767, -50 dBFS: below it is a far end's idle noise

_NEGATIVE_SCALE = 0x8000
_POSITIVE_SCALE = 0x7FFF
_LITTLE_ENDIAN = np.dtype("<i2")


class InvalidAudio(CouchvoiceError):
    """Bytes from a peer that are not base64 of 16 bit samples."""

    code = "invalid_audio"


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """A stretch of one-channel sound. Compared by identity: two arrays have no single truth value."""

    samples: NDArray[np.int16]
    rate: int


def pcm16_from_float(x: NDArray[np.floating]) -> NDArray[np.int16]:
    """Floats in [-1, 1] as samples: -1 is -32768, +1 is +32767, beyond is clamped, NaN and infinity are silence."""
    finite = np.clip(np.where(np.isfinite(x), x, 0.0), -1.0, 1.0)
    rounded: NDArray[np.floating] = np.rint(finite * np.where(finite < 0, _NEGATIVE_SCALE, _POSITIVE_SCALE))
    return rounded.astype(np.int16)


def float_from_pcm16(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """The inverse of pcm16_from_float, exact for every sample."""
    x = samples.astype(np.float32)
    x /= np.where(x < 0, np.float32(_NEGATIVE_SCALE), np.float32(_POSITIVE_SCALE))
    return x


def base64_from_pcm16(samples: NDArray[np.int16]) -> str:
    """Little-endian, as ``audio/pcm`` on the wire."""
    return base64.b64encode(samples.astype(_LITTLE_ENDIAN, copy=False).tobytes()).decode("ascii")


def pcm16_from_base64(text: str) -> NDArray[np.int16]:
    """The inverse of base64_from_pcm16. Raises InvalidAudio."""
    try:
        payload = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:  # ValueError: characters beyond ASCII
        raise InvalidAudio(f"the audio is not base64: {exc}") from exc
    if len(payload) % _LITTLE_ENDIAN.itemsize:
        raise InvalidAudio(f"the audio has {len(payload)} bytes: 16 bit samples need an even number")
    return np.frombuffer(payload, dtype=_LITTLE_ENDIAN).astype(np.int16)


def silence(samples: int) -> NDArray[np.int16]:
    """That many zeros."""
    return np.zeros(samples, dtype=np.int16)


def is_audible(samples: NDArray[np.int16]) -> bool:
    """Somebody would hear it: it has a peak of at least AUDIBLE_PEAK."""
    return bool(samples.size) and max(int(samples.max()), -int(samples.min())) >= AUDIBLE_PEAK
