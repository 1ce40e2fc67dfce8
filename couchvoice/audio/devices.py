"""Sound cards through PortAudio: the list, the choice, the microphone and the loudspeaker.

The library is imported inside functions only: without it everything else runs. A card that falls silent or goes away
is not an error here: the microphone hands out silence and the loudspeaker stops pulling.
Law: the card's callback copies, counts and returns; all else happens on the event loop or in PlayoutBuffer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import CATCH_UP_LIMIT, FRAME_SECONDS
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.resample import PulledResampler, Resampler
from couchvoice.errors import AudioDeviceError

BLOCKS_PER_SECOND = 100  # 10 ms: one block is what a barge-in waits for
LATENCY = 0.02  # s; PortAudio's "low" costs four times the CPU and underruns under load
MICROPHONE_LIMIT_MS = 500  # ms; beyond, the oldest block is dropped
STALL_TIMEOUT = 0.1  # s without a block until the microphone hands out silence

_NO_PORTAUDIO = (
    "no PortAudio library: install the system's package (Debian, Ubuntu: libportaudio2; "
    "Fedora, Arch, Homebrew: portaudio), or use WAV files"
)

_Kind = Literal["input", "output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A sound device as PortAudio lists it. Indexes change when hardware does, names do not."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_rate: int
    is_default_input: bool
    is_default_output: bool


class _Stream(Protocol):
    def start(self) -> None: ...
    def close(self, ignore_errors: bool = True) -> None: ...


class _Flags(Protocol):
    input_overflow: bool
    output_underflow: bool


def list_devices() -> list[Device]:
    """All devices, as they were when PortAudio was first used. Raises AudioDeviceError."""
    with _portaudio("list the sound devices") as sd:
        host_apis = [api["name"] for api in sd.query_hostapis()]
        default_input, default_output = sd.default.device
        return [
            Device(
                index=entry["index"],
                name=entry["name"],
                host_api=host_apis[entry["hostapi"]],
                input_channels=entry["max_input_channels"],
                output_channels=entry["max_output_channels"],
                default_rate=int(entry["default_samplerate"]),
                is_default_input=entry["index"] == default_input,
                is_default_output=entry["index"] == default_output,
            )
            for entry in sd.query_devices()
        ]


def find_input(selector: str | None = None) -> Device:
    """By index, name, or part of a name in any case; without a selector the default. Raises AudioDeviceError."""
    devices = [device for device in list_devices() if device.input_channels]
    default = next((device for device in devices if device.is_default_input), None)
    return _choose("input", devices, default, selector)


def find_output(selector: str | None = None) -> Device:
    """As find_input."""
    devices = [device for device in list_devices() if device.output_channels]
    default = next((device for device in devices if device.is_default_output), None)
    return _choose("output", devices, default, selector)


class Microphone:
    """A Source over a card. While the card gives nothing, it hands out silence in real time, so that RTP goes on."""

    def __init__(self, selector: str | None = None) -> None:
        self._selector = selector
        self._stream: _Stream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        # The card's thread appends and counts, the loop takes.
        self._blocks: deque[NDArray[np.int16]] = deque(maxlen=MICROPHONE_LIMIT_MS * BLOCKS_PER_SECOND // 1000)
        self._lost = 0
        self._ready = silence(0)
        self._resampler = Resampler(SAMPLE_RATE, SAMPLE_RATE)
        self._silence_at = 0.0

    @property
    def lost_blocks(self) -> int:
        """Dropped because nobody read in time, by the card or here."""
        return self._lost

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        device = find_input(self._selector)
        with _portaudio(f'open the input device "{device.name}"') as sd:
            rate, channels = _best_format(sd, sd.check_input_settings, device, device.input_channels)
            self._resampler = Resampler(rate, SAMPLE_RATE)
            self._stream = _started(
                sd.InputStream(
                    device=device.index,
                    samplerate=rate,
                    channels=channels,
                    dtype="int16",
                    blocksize=rate // BLOCKS_PER_SECOND,
                    latency=LATENCY,
                    callback=self._capture,
                )
            )
        self._silence_at = self._loop.time() + STALL_TIMEOUT

    async def read(self) -> AudioFrame:
        while not self._has_frame():
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(self._silence_at):
                    await self._arrived.wait()
            except TimeoutError:
                earliest = asyncio.get_running_loop().time() - CATCH_UP_LIMIT
                self._silence_at = max(self._silence_at, earliest) + FRAME_SECONDS
                return AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE)
        self._silence_at = asyncio.get_running_loop().time() + STALL_TIMEOUT
        samples, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        return AudioFrame(samples, SAMPLE_RATE)

    async def finished(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _capture(self, block: NDArray[np.int16], _frames: int, _time: object, flags: _Flags) -> None:
        assert self._loop is not None  # open sets it before the stream starts
        if flags.input_overflow or len(self._blocks) == self._blocks.maxlen:
            self._lost += 1
        self._blocks.append(block.copy())
        self._loop.call_soon_threadsafe(self._arrived.set)

    def _has_frame(self) -> bool:
        while self._ready.size < FRAME_SAMPLES and self._blocks:
            samples = self._resampler.push(mixed_down(self._blocks.popleft()))
            self._ready = np.concatenate([self._ready, samples])
        return self._ready.size >= FRAME_SAMPLES


class Speaker:
    """A Sink over a card: its callback is the clock."""

    def __init__(self, selector: str | None = None) -> None:
        self._selector = selector
        self._stream: _Stream | None = None
        self._pull: Callable[[int], NDArray[np.int16]] = silence
        self._underflows = 0  # written by the card's thread

    @property
    def underflows(self) -> int:
        """How often the card had to play before we had filled its block."""
        return self._underflows

    async def open(self, playout: PlayoutBuffer) -> None:
        device = find_output(self._selector)
        with _portaudio(f'open the output device "{device.name}"') as sd:
            rate, channels = _best_format(sd, sd.check_output_settings, device, device.output_channels)
            resampled = PulledResampler(playout.pull, SAMPLE_RATE, rate)
            self._pull = playout.pull if rate == SAMPLE_RATE else resampled.pull
            self._stream = _started(
                sd.OutputStream(
                    device=device.index,
                    samplerate=rate,
                    channels=channels,
                    dtype="int16",
                    blocksize=rate // BLOCKS_PER_SECOND,
                    latency=LATENCY,
                    callback=self._render,
                )
            )

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _render(self, block: NDArray[np.int16], frames: int, _time: object, flags: _Flags) -> None:
        if flags.output_underflow:
            self._underflows += 1
        block[:] = self._pull(frames)[:, np.newaxis]


def mixed_down(block: NDArray[np.int16]) -> NDArray[np.int16]:
    """The mean of a card's channels; ``block`` has one column for each."""
    if block.shape[1] == 1:
        return block[:, 0]
    mean: NDArray[np.floating] = np.rint(block.mean(axis=1))
    return mean.astype(np.int16)


@contextmanager
def _portaudio(doing: str) -> Iterator[ModuleType]:
    """The library, with its errors mapped: the only way to it."""
    try:
        import sounddevice
    except OSError as exc:
        raise AudioDeviceError(_NO_PORTAUDIO) from exc
    try:
        yield sounddevice
    except sounddevice.PortAudioError as exc:
        raise AudioDeviceError(f"cannot {doing}: {exc}") from exc


def _choose(kind: _Kind, devices: list[Device], default: Device | None, selector: str | None) -> Device:
    if not devices:
        raise AudioDeviceError(f"no {kind} device: connect one, or use a WAV file (--{kind} FILE.wav)")
    if selector is None:
        return default or devices[0]
    found = (
        [device for device in devices if str(device.index) == selector]
        or [device for device in devices if device.name == selector]
        or [device for device in devices if selector.casefold() in device.name.casefold()]
    )
    listed = ", ".join(f"{device.index} {device.name}" for device in found or devices)
    if not found:
        raise AudioDeviceError(f'no {kind} device matches "{selector}": run "couchvoice devices" (there are: {listed})')
    # One card under several host APIs has one name; the first host API is the system's preferred one.
    if len({device.name for device in found}) > 1:
        raise AudioDeviceError(f'several {kind} devices match "{selector}": name one of {listed}')
    return found[0]


def _best_format(sd: ModuleType, check: Callable[..., None], device: Device, most_channels: int) -> tuple[int, int]:
    """48 kHz if the card can, and as few channels as it can."""
    formats = [(rate, channels) for rate in (SAMPLE_RATE, device.default_rate) for channels in (1, 2, most_channels)]
    for rate, channels in formats:
        try:
            check(device=device.index, channels=channels, dtype="int16", samplerate=rate)
        except sd.PortAudioError:
            continue
        return rate, channels
    return formats[0]  # opening it fails, and PortAudio then says why


def _started(stream: _Stream) -> _Stream:
    with ExitStack() as undo:
        undo.callback(stream.close)
        stream.start()
        undo.pop_all()
    return stream
