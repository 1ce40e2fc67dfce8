"""Tones and the WAV files that hold them, for the tests of everything that carries sound."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE

FORMATS = ("u8", "s16", "s24", "s32", "f32")

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def tone(
    seconds: float, *, rate: int = SAMPLE_RATE, hertz: float = 440.0, amplitude: float = 0.5
) -> NDArray[np.float64]:
    """A sine that begins at zero."""
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def pcm16(x: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.round(x * 32767).astype(np.int16)


def wav_bytes(
    x: NDArray[np.float64], *, rate: int, channels: int = 1, sample: str = "s16", extensible: bool = False
) -> bytes:
    """A WAV file made by hand: the same sound on every channel."""
    x = np.repeat(x[:, np.newaxis], channels, axis=1)
    bits, encoded = _encoded(x, sample)
    tag = _FLOAT if sample == "f32" else _PCM
    block = bits // 8 * channels
    form = struct.pack("<HHIIHH", _EXTENSIBLE if extensible else tag, channels, rate, rate * block, block, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, tag) + _SUBFORMAT_TAIL
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(encoded)) + encoded
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def snr_db(samples: NDArray[np.int16], *, hertz: float = 440.0, rate: int = SAMPLE_RATE) -> float:
    """How far the rest lies below the tone that is looked for. The first and last 10 ms are not judged."""
    edge = rate // 100
    y = samples[edge:-edge].astype(np.float64)
    angle = 2 * np.pi * hertz * np.arange(y.size) / rate
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    fitted = waves @ np.linalg.lstsq(waves, y, rcond=None)[0]
    return float(10 * np.log10((np.mean(fitted**2) + 1e-9) / (np.mean((y - fitted) ** 2) + 1e-9)))


def strongest_hertz(samples: NDArray[np.int16], *, rate: int = SAMPLE_RATE) -> float:
    """Where the spectrum has its peak. Gaps in the sound do not move it."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * rate / samples.size)


def _encoded(x: NDArray[np.float64], sample: str) -> tuple[int, bytes]:
    match sample:
        case "u8":
            return 8, np.round(x * 127 + 128).astype("u1").tobytes()
        case "s16":
            return 16, np.round(x * 32767).astype("<i2").tobytes()
        case "s24":
            four_bytes = np.round(x * 8388607).astype("<i4").reshape(-1, 1).view("u1")
            return 24, four_bytes[:, :3].tobytes()
        case "s32":
            return 32, np.round(x * 2147483647).astype("<i4").tobytes()
        case "f32":
            return 32, x.astype("<f4").tobytes()
        case _:
            raise ValueError(sample)
