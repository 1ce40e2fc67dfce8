"""A fake sound system: what couchvoice uses of the module sounddevice, on the clock of the running loop.

It keeps the rules of the real one: devices are listed as they were when it was initialized, an unplugged stream
finishes without an error, whoever opens what is gone gets a PortAudioError, and a restart must find no stream open.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio import card, portaudio
from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.audio.look import Found
from couchvoice.audio.portaudio import Kind

HOST_ERROR = -9999  # paUnanticipatedHostError
GONE = (0, -5, "Input/output error")  # as ALSA's Pulse plugin says
DENIED = (0, -13, "Permission denied")


class PortAudioError(Exception):
    pass


@dataclass(eq=False)
class FakeCard:
    """``drift_ppm``: how much faster its clock runs than the loop's. ``lists_always``: a name of the configuration."""

    name: str
    rate: int = SAMPLE_RATE
    inputs: int = 0
    outputs: int = 0
    drift_ppm: float = 0.0
    lists_always: bool = False
    plugged: bool = True
    denied: bool = False
    broken: bool = False  # it is there and cannot be opened
    stalled: bool = False  # its streams stand still, without finishing
    played: list[NDArray[np.int16]] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    opened: int = 0
    _heard: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    _skipped: int = 0
    _underflow: bool = False

    def hear(self, samples: NDArray[np.int16]) -> None:
        """Sound before the microphone: the blocks to come are made of it, those after it are silent."""
        self._heard = np.concatenate([self._heard, samples])

    def overflow(self, samples: int) -> None:
        """So much of what is heard next does not fit into the card's buffer."""
        self._skipped += samples

    def underflow(self) -> None:
        """The next block of sound came too late for the loudspeaker."""
        self._underflow = True

    def unplug(self) -> None:
        self.plugged = False
        for stream in list(self.streams):
            stream.finish()

    def plug_in(self) -> None:
        self.plugged = True

    def sound(self) -> NDArray[np.int16]:
        """What was played, first channel."""
        return np.concatenate([np.zeros(0, np.int16), *(block[:, 0] for block in self.played)])

    def channels(self, kind: Kind) -> int:
        return self.inputs if kind == "input" else self.outputs

    def take(self, count: int) -> tuple[NDArray[np.int16], int]:
        """A block of what is heard, and how many samples before it were lost."""
        lost, self._skipped = self._skipped, 0
        block, self._heard = self._heard[lost : lost + count], self._heard[lost + count :]
        return np.concatenate([block, np.zeros(count - block.size, np.int16)]), lost

    def render(self, block: NDArray[np.int16]) -> None:
        self.played.append(block)

    def late(self) -> bool:
        late, self._underflow = self._underflow, False
        return late


class FakeStream:
    def __init__(self, of: FakeCard, kind: Kind, *, samplerate, channels, blocksize, callback, finished_callback):
        self.card = of
        self.kind = kind
        self.rate = samplerate
        self.blocksize = blocksize
        self._channels = channels
        self._callback = callback
        self._finished = finished_callback
        self._timer: asyncio.TimerHandle | None = None
        self._blocks = itertools.count(1)
        self._position = 0  # samples on the card's clock

    def start(self) -> None:
        if self.card.broken:
            raise PortAudioError("Device unavailable", -9985)
        self.card.streams.append(self)
        self.card.opened += 1
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._wind()

    def close(self, ignore_errors: bool = True) -> None:
        self.finish()

    def finish(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.card.streams.remove(self)
            self._finished()

    def _wind(self) -> None:
        period = self.blocksize / self.rate / (1 + self.card.drift_ppm / 1e6)
        self._timer = self._loop.call_at(self._began + next(self._blocks) * period, self._fire)

    def _fire(self) -> None:
        self._wind()
        if not self.card.stalled:
            self._hear() if self.kind == "input" else self._play()

    def _hear(self) -> None:
        samples, lost = self.card.take(self.blocksize)
        self._position += lost
        time = SimpleNamespace(inputBufferAdcTime=self._position / self.rate)
        self._position += self.blocksize
        flags = SimpleNamespace(input_overflow=bool(lost), output_underflow=False)
        self._callback(np.repeat(samples[:, np.newaxis], self._channels, axis=1), self.blocksize, time, flags)

    def _play(self) -> None:
        block = np.full((self.blocksize, self._channels), 77, dtype=np.int16)
        flags = SimpleNamespace(input_overflow=False, output_underflow=self.card.late())
        self._callback(block, self.blocksize, SimpleNamespace(inputBufferAdcTime=0.0), flags)
        self.card.render(block)


class FakeCards:
    """Stands for the module sounddevice. The first card of a direction is the system's default."""

    PortAudioError = PortAudioError

    def __init__(self, *cards: FakeCard) -> None:
        self.cards = list(cards)
        self.restarts = 0
        self.looks = 0
        self._initialized = 0
        self._initialize()
        self.InputStream = self._opener("input")
        self.OutputStream = self._opener("output")

    def _initialize(self) -> None:
        self._initialized += 1
        self._listed = [card for card in self.cards if card.plugged or card.lists_always]
        self.default = SimpleNamespace(device=(self._first("input"), self._first("output")))

    def _terminate(self) -> None:
        assert not any(card.streams for card in self.cards), "a restart kills streams"
        self._initialized -= 1
        self.restarts += 1

    def query_hostapis(self) -> list[dict[str, object]]:
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, object]]:
        return [
            {
                "index": index,
                "name": card.name,
                "hostapi": 0,
                "default_samplerate": float(card.rate),
                "max_input_channels": card.inputs,
                "max_output_channels": card.outputs,
            }
            for index, card in enumerate(self._listed)
        ]

    def check_input_settings(self, *, device: int, samplerate: int, channels: int, **_others: object) -> None:
        self._check("input", device, samplerate, channels)

    def check_output_settings(self, *, device: int, samplerate: int, channels: int, **_others: object) -> None:
        self._check("output", device, samplerate, channels)

    async def look(self, kind: Kind, wanted: str | None) -> Found:
        """In place of couchvoice.audio.look."""
        self.looks += 1
        there = [card.name for card in self.cards if card.plugged and card.channels(kind) and not card.denied]
        return Found(wanted if wanted in there else None, there[0] if there else None)

    def _opener(self, kind: Kind) -> Callable[..., FakeStream]:
        def open_stream(*, device, samplerate, channels, dtype, latency, **others) -> FakeStream:
            assert dtype == "int16"
            self._check(kind, device, samplerate, channels, "Error opening stream: Unanticipated host error")
            return FakeStream(self._listed[device], kind, samplerate=samplerate, channels=channels, **others)

        return open_stream

    def _check(self, kind: Kind, device: int, rate: int, channels: int, says: str = "Unanticipated host error") -> None:
        card = self._listed[device]
        if card.denied:
            raise PortAudioError(says, HOST_ERROR, DENIED)
        if not card.plugged:
            raise PortAudioError(says, HOST_ERROR, GONE)
        if (rate, channels) != (card.rate, card.channels(kind)):
            raise PortAudioError("Invalid sample rate", -9997)

    def _first(self, kind: Kind) -> int:
        return next((index for index, card in enumerate(self._listed) if card.channels(kind)), -1)


class _Inline(Executor):
    """In place of PortAudio's thread: the clock that jumps knows of no other thread."""

    def submit(self, work, /, *arguments, **options) -> Future:
        done: Future = Future()
        try:
            done.set_result(work(*arguments, **options))
        except Exception as exc:
            done.set_exception(exc)
        return done


def installer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCards]:
    """What the fixture ``install`` is: call it to put these cards into the machine, in place of those before."""
    monkeypatch.setattr(portaudio, "_thread", _Inline())
    monkeypatch.setattr(portaudio, "_holders", [])

    def install(*cards: FakeCard) -> FakeCards:
        fake = FakeCards(*cards)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        monkeypatch.setattr(card, "look", fake.look)
        return fake

    return install
