"""libopus through ctypes: what FFmpeg's wrapper of it leaves out (concealment, in-band FEC, controls at run time).

The library is the one that PyAV's wheel brings, else the system's. Sound is 48 kHz mono int16 on this side, whatever
the packet holds. Law: the codec state follows the order of calls, so each instance belongs to one stream, and to one
thread at a time; a packet that is none raises InvalidPacket and leaves the state usable.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import enum
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE
from couchvoice.errors import CouchvoiceError

MAX_PACKET_SAMPLES = SAMPLE_RATE * 120 // 1000  # RFC 6716 §3.2.5: 120 ms at most in one packet
MAX_PACKET_BYTES = 1500  # what fits a datagram

_CHANNELS = 1
# opus_defines.h
_APPLICATION_VOIP = 2048
_SET_BITRATE = 4002
_SET_MAX_BANDWIDTH = 4004
_SET_COMPLEXITY = 4010
_SET_INBAND_FEC = 4012
_SET_PACKET_LOSS_PERC = 4014
_SET_DTX = 4016
_SET_SIGNAL = 4024
_RESET_STATE = 4028
_SIGNAL_VOICE = 3001


class Bandwidth(enum.IntEnum):
    """RFC 6716 §2: how high the sound may reach. The encoder takes less where the bit rate asks for it."""

    WIDE = 1103  # 8 kHz: speech as recognizers are trained on it, for half the CPU
    SUPERWIDE = 1104  # 12 kHz: all there is in sound of 24 kHz, as the realtime models speak it
    FULL = 1105  # 20 kHz


class OpusUnavailable(CouchvoiceError):
    """No libopus was found, or it lacks a function that is needed."""

    code = "opus_unavailable"


class InvalidPacket(CouchvoiceError):
    """Bytes that are no Opus packet."""

    code = "invalid_opus_packet"


@dataclass(frozen=True, slots=True)
class OpusLibrary:
    """Where libopus was found, and which it is ("libopus 1.6.1")."""

    path: str
    version: str
    functions: ctypes.CDLL


@functools.cache
def opus_library() -> OpusLibrary:
    """Loaded once. Raises OpusUnavailable."""
    problems = []
    for path in _candidates():
        try:
            functions = _declared(ctypes.CDLL(path))
            return OpusLibrary(path, functions.opus_get_version_string().decode("ascii", "replace"), functions)
        except (OSError, AttributeError) as exc:  # AttributeError: too old
            problems.append(f"{path}: {exc}")
    raise OpusUnavailable("; ".join(problems) or "neither PyAV nor the system brings a libopus")


def packet_samples(payload: bytes) -> int:
    """How long it sounds, in samples at 48 kHz; 0 for what is no Opus packet."""
    count: int = opus_library().functions.opus_packet_get_nb_samples(payload, len(payload), SAMPLE_RATE)
    return count if 0 < count <= MAX_PACKET_SAMPLES else 0


def has_fec(payload: bytes) -> bool:
    """It carries a copy of the sound before it (LBRR, RFC 6716 §2.1.7)."""
    return bool(opus_library().functions.opus_packet_has_lbrr(payload, len(payload)) == 1)


class OpusDecoder:
    """One stream's sound. Raises OpusUnavailable when it is made where there is no libopus."""

    def __init__(self) -> None:
        self._opus = opus_library().functions
        error = ctypes.c_int()
        self._state: int | None = self._opus.opus_decoder_create(SAMPLE_RATE, _CHANNELS, ctypes.byref(error))
        if not self._state:
            raise OpusUnavailable(f"opus_decoder_create failed with {error.value}")
        self._out = np.empty(MAX_PACKET_SAMPLES, dtype=np.int16)

    def __del__(self) -> None:
        state, self._state = getattr(self, "_state", None), None
        if state:
            self._opus.opus_decoder_destroy(state)

    def decode(self, payload: bytes) -> NDArray[np.int16]:
        """The packet's sound. Raises InvalidPacket."""
        return self._decode(payload, MAX_PACKET_SAMPLES, fec=False)

    def recover(self, following: bytes, samples: int) -> NDArray[np.int16]:
        """The sound before ``following``, from its in-band FEC as far as it goes, concealed where it does not.

        ``samples``: how much is missing, a multiple of 2.5 ms. ``following`` is decoded after that as usual.
        """
        return self._decode(following, samples, fec=True)

    def conceal(self, samples: int) -> NDArray[np.int16]:
        """What may have been said in place of a lost packet; a multiple of 2.5 ms. It fades as losses go on."""
        return self._decode(None, samples, fec=False)

    def reset(self) -> None:
        """As new: another stream begins."""
        self._opus.opus_decoder_ctl(self._state, _RESET_STATE)

    def _decode(self, payload: bytes | None, samples: int, *, fec: bool) -> NDArray[np.int16]:
        if payload == b"":
            raise InvalidPacket("0 bytes")  # to libopus it would mean a lost packet
        size = len(payload) if payload is not None else 0
        out = self._out.ctypes.data_as(ctypes.c_void_p)
        count: int = self._opus.opus_decode(self._state, payload, size, out, samples, int(fec))
        if count < 0:
            raise InvalidPacket(f"{size} bytes: {_described(self._opus, count)}")
        return self._out[:count].copy()


class OpusEncoder:
    """One stream's packets: 20 ms of mono voice each, with in-band FEC once losses are expected."""

    def __init__(
        self, *, bitrate: int, complexity: int, bandwidth: Bandwidth = Bandwidth.FULL, dtx: bool = False
    ) -> None:
        self._opus = opus_library().functions
        error = ctypes.c_int()
        self._state: int | None = self._opus.opus_encoder_create(
            SAMPLE_RATE, _CHANNELS, _APPLICATION_VOIP, ctypes.byref(error)
        )
        if not self._state:
            raise OpusUnavailable(f"opus_encoder_create failed with {error.value}")
        self._out = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        self._control(_SET_SIGNAL, _SIGNAL_VOICE)
        self._control(_SET_BITRATE, bitrate)
        self._control(_SET_COMPLEXITY, complexity)
        self._control(_SET_MAX_BANDWIDTH, bandwidth)
        self._control(_SET_DTX, int(dtx))

    def __del__(self) -> None:
        state, self._state = getattr(self, "_state", None), None
        if state:
            self._opus.opus_encoder_destroy(state)

    def expect_loss(self, percent: int) -> None:
        """So much is lost on the way: 0 to 100. FEC is spent on it from about 1 %."""
        self._control(_SET_INBAND_FEC, int(percent > 0))
        self._control(_SET_PACKET_LOSS_PERC, percent)

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """One packet for FRAME_SAMPLES of 48 kHz sound."""
        if samples.size != FRAME_SAMPLES or samples.dtype != np.int16:
            raise ValueError(f"a packet takes {FRAME_SAMPLES} int16 samples, not {samples.size} of {samples.dtype}")
        pcm = np.ascontiguousarray(samples)
        count: int = self._opus.opus_encode(
            self._state, pcm.ctypes.data_as(ctypes.c_void_p), FRAME_SAMPLES, self._out, MAX_PACKET_BYTES
        )
        assert count > 0, _described(self._opus, count)  # only impossible arguments are refused, and they are checked
        return self._out.raw[:count]

    def _control(self, request: int, value: int) -> None:
        result = self._opus.opus_encoder_ctl(self._state, request, ctypes.c_int(value))
        if result != 0:
            raise ValueError(f"libopus refuses {value} for its control {request}: {_described(self._opus, result)}")


def _candidates() -> Iterator[str]:
    import av

    # PyAV's wheels put their libraries beside the package (Linux, Windows) or into it (macOS).
    package = Path(av.__file__).parent
    for folder in (package.parent / "av.libs", package / ".dylibs"):
        yield from map(str, sorted(folder.glob("*opus*")))
    if (name := ctypes.util.find_library("opus")) is not None:
        yield name


_POINTER: Final = ctypes.c_void_p
_SIGNATURES: Final = {
    "opus_get_version_string": (ctypes.c_char_p, []),
    "opus_strerror": (ctypes.c_char_p, [ctypes.c_int]),
    "opus_packet_get_nb_samples": (ctypes.c_int, [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32]),
    "opus_packet_has_lbrr": (ctypes.c_int, [ctypes.c_char_p, ctypes.c_int32]),
    "opus_decoder_create": (_POINTER, [ctypes.c_int32, ctypes.c_int, _POINTER]),
    "opus_decoder_destroy": (None, [_POINTER]),
    "opus_decode": (
        ctypes.c_int,
        [_POINTER, ctypes.c_char_p, ctypes.c_int32, _POINTER, ctypes.c_int, ctypes.c_int],
    ),
    "opus_encoder_create": (_POINTER, [ctypes.c_int32, ctypes.c_int, ctypes.c_int, _POINTER]),
    "opus_encoder_destroy": (None, [_POINTER]),
    "opus_encode": (ctypes.c_int32, [_POINTER, _POINTER, ctypes.c_int, ctypes.c_char_p, ctypes.c_int32]),
    # Variadic: only the fixed arguments are declared, which is what Apple's ARM64 needs.
    "opus_decoder_ctl": (ctypes.c_int, [_POINTER, ctypes.c_int]),
    "opus_encoder_ctl": (ctypes.c_int, [_POINTER, ctypes.c_int]),
}


def _declared(functions: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments
    return functions


def _described(functions: ctypes.CDLL, error: int) -> str:
    return str(functions.opus_strerror(error).decode("ascii", "replace"))
