"""WAV files as microphone and as loudspeaker, so that a talk needs no sound card.

Read through PyAV as a stream, written as the sound comes.
Law: what a header promises is never believed: rate and channels are checked, the length is what the file holds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import struct
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Pace, Ticker
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.resample import joined
from couchvoice.errors import ConfigError

MIN_RATE = 8_000  # Hz
MAX_RATE = 96_000  # Hz
MAX_CHANNELS = 2

_SAMPLE_BYTES = 2
_SAMPLE_BITS = 16
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FORMAT_BYTES = 16
_PCM = 1

_log = logging.getLogger("couchvoice.audio")


def read_wav(path: Path | str, *, rate: int = SAMPLE_RATE) -> AudioFrame:
    """The whole file, mixed down, at ``rate``. Raises ConfigError."""
    return AudioFrame(np.concatenate(list(_blocks(Path(path), rate))), rate)


class WavSource:
    """A Source that plays a file straight through, then is silent for ever. The clock starts with the first read.

    Raises ConfigError at once, before it is opened, if the file cannot be played.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        with closing(_blocks(self._path, SAMPLE_RATE)) as blocks:
            next(blocks)
        self._blocks: Generator[NDArray[np.int16]] | None = None
        self._ready = silence(0)
        self._pace = Pace()
        self._finished = asyncio.Event()

    async def open(self) -> None:
        self._blocks = _blocks(self._path, SAMPLE_RATE)

    async def read(self) -> AudioFrame:
        await self._pace.wait()
        return AudioFrame(self._next_samples(), SAMPLE_RATE)

    async def finished(self) -> None:
        await self._finished.wait()

    async def close(self) -> None:
        if self._blocks is not None:
            self._blocks.close()
        self._ready = silence(0)

    def _next_samples(self) -> NDArray[np.int16]:
        # One sample more than a frame, so that the last frame is known as the last.
        while self._ready.size <= FRAME_SAMPLES and (block := self._next_block()) is not None:
            self._ready = np.concatenate([self._ready, block])
        samples, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        return np.concatenate([samples, silence(FRAME_SAMPLES - samples.size)])

    def _next_block(self) -> NDArray[np.int16] | None:
        try:
            block = next(self._blocks, None) if self._blocks is not None else None
        except ConfigError as exc:
            _log.warning("x the rest of the input: %s", exc)
            block = None
        if block is None:
            self._finished.set()
        return block


class WavSink:
    """A Sink that writes what a listener would hear: 48 kHz, 16 bit, one channel, from open to close without a break.

    Raises ConfigError at once, before it is opened, if the file cannot be written; the file is touched by ``open``
    only. It is readable at any time, also when the process is killed.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        _check_writable(self._path)
        self._playout: PlayoutBuffer | None = None
        self._file: _WavFile | None = None
        self._ticker = Ticker(self._write)

    async def open(self, playout: PlayoutBuffer) -> None:
        self._playout = playout
        self._create()
        self._ticker.start()

    async def close(self) -> None:
        self._ticker.stop()
        self._release()

    def _create(self) -> None:
        with _refusing(f"cannot write {self._path}"):
            self._file = _WavFile(self._path)

    def _write(self, frames: int) -> None:
        assert self._playout is not None  # the ticker runs between open and close only
        samples = self._playout.pull(frames * FRAME_SAMPLES)
        if self._file is None:
            return
        try:
            self._file.append(samples)
        except (OSError, struct.error) as exc:  # the disk is full, or the file has the 4 GB that its header can name
            _log.warning("x the rest of the output: cannot write %s: %s", self._path, exc)
            self._release()

    def _release(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


class _WavFile:
    """A WAV file whose header is right after each append. Not the standard library's: that one buffers, and one
    failed write makes its close fail too."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._length = 0
        self._write_header()

    def append(self, samples: NDArray[np.int16]) -> None:
        self._file.seek(0, os.SEEK_END)
        self._length += self._file.write(samples.astype("<i2", copy=False).tobytes())
        self._write_header()

    def close(self) -> None:
        self._file.close()

    def _write_header(self) -> None:
        rest = _HEADER.size - len(b"RIFF????") + self._length
        sound = (_PCM, 1, SAMPLE_RATE, SAMPLE_RATE * _SAMPLE_BYTES, _SAMPLE_BYTES, _SAMPLE_BITS)
        self._file.seek(0)
        self._file.write(_HEADER.pack(b"RIFF", rest, b"WAVE", b"fmt ", _FORMAT_BYTES, *sound, b"data", self._length))


def _blocks(path: Path, rate: int) -> Generator[NDArray[np.int16]]:
    """Decode block by block: at least one, none empty, or ConfigError."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    is_empty = True
    with (
        _refusing(f"cannot play {path}"),
        _open_to_read(path) as file,
        av.open(file, mode="r", format="wav") as container,
    ):
        for frame in chain(container.decode(_playable_stream(container)), [None]):
            block = joined(resampler.resample(frame))
            if block.size:
                is_empty = False
                yield block
        if is_empty:
            raise _Refusal("it holds no sound")


def _playable_stream(container: InputContainer) -> AudioStream:
    stream = next(iter(container.streams.audio), None)
    if stream is None or stream.codec_context is None:
        raise _Refusal("its sample format is unknown")
    if not MIN_RATE <= stream.rate <= MAX_RATE:
        raise _Refusal(f"its rate is {stream.rate} Hz, not {MIN_RATE} to {MAX_RATE} Hz")
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise _Refusal(f"it has {stream.channels} channels, not 1 or 2")
    return stream


def _open_to_read(path: Path) -> BinaryIO:
    _check_regular(path)
    if not path.stat().st_size:
        raise _Refusal("it is empty")
    return path.open("rb")


def _check_writable(path: Path) -> None:
    with _refusing(f"cannot write {path}"):
        if path.exists():
            _check_regular(path)
            path.open("ab").close()
        else:
            path.open("xb").close()
            path.unlink()


def _check_regular(path: Path) -> None:
    """A pipe would block the whole talk, and neither it nor a device can be read twice or patched."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise _Refusal("it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file")


class _Refusal(Exception):
    """Why not, without the file's name: ``_refusing`` adds it."""


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except _Refusal as exc:
        raise ConfigError(f"{what}: {exc}") from exc
    except av.error.FFmpegError as exc:
        raise ConfigError(f"{what}: it is not a WAV file, or it is damaged") from exc
    except OSError as exc:
        raise ConfigError(f"{what}: {(exc.strerror or str(exc)).lower()}") from exc
