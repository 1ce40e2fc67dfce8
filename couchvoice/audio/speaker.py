"""The loudspeaker: a card as a Sink, whose callback is the clock.

While there is no card a timer pulls in its place, so that the talk goes on as if somebody listened; and so it does
until a card that is new has found its pace, for some stand still for seconds after their first blocks.
Law: one consumer at a time: the timer starts when no stream runs, and has stopped before one pulls.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.card import Callback, Card, Flags, Times
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, silence
from couchvoice.audio.pacing import Ticker
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.report import DeviceReport
from couchvoice.audio.resample import PulledResampler
from couchvoice.audio.volume import FULL_VOLUME, Volume
from couchvoice.errors import AudioDeviceError

STEADY_BLOCKS = 10  # of 10 ms that a card has asked for before it takes over from the timer

log = logging.getLogger("couchvoice.audio")


@dataclass(slots=True)
class _Gate:
    """Between a stream and the sound. ``knocks`` is written by the card's thread, ``is_open`` by the loop."""

    is_open: bool
    knocks: int = 0


class Speaker:
    """A Sink over a card of any rate and number of channels. ``volume`` in percent, 0 to 200, at any time.

    ``selector``: index, name, or part of a name; None for the system's default. ``open`` raises DeviceNotFound for a
    name that fits no device or several, and AudioDeviceError without PortAudio. Any other failure is reported, nobody
    hears anything until the device is there, and the talk goes on.
    """

    def __init__(self, selector: str | None = None, *, volume: float = FULL_VOLUME) -> None:
        self._card = Card(
            "output", selector, callback_for=self._callback_for, tell=self._report, on_closed=self._stand_in
        )
        self._tell: Callable[[DeviceReport], None] | None = None
        self._volume = Volume(volume)
        self._pull: Callable[[int], NDArray[np.int16]] = silence
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker = Ticker(self._discard)
        self._stands_in = False  # the ticker runs
        self._underflows = 0  # written by the card's thread

    @property
    def underflows(self) -> int:
        """How often the card had to play before we had filled its block."""
        return self._underflows

    @property
    def volume(self) -> float:
        return self._volume.percent

    @volume.setter
    def volume(self, percent: float) -> None:
        self._volume.percent = percent

    def report_to(self, tell: Callable[[DeviceReport], None]) -> None:
        self._tell = tell

    async def open(self, playout: PlayoutBuffer) -> None:
        self._pull, self._loop = playout.pull, asyncio.get_running_loop()
        playout.volume = self._volume
        try:
            await self._card.open()
        except AudioDeviceError as exc:
            if not exc.retryable:
                raise
            log.warning("x %s", exc)
            self._report(DeviceReport("output", "missing", None, str(exc)))
            self._stand_in()
            self._card.keep()

    async def close(self) -> None:
        await self._card.close()
        self._ticker.stop()

    def _callback_for(self, rate: int) -> Callback:
        pull = self._pull if rate == SAMPLE_RATE else PulledResampler(self._pull, SAMPLE_RATE, rate).pull
        gate = _Gate(is_open=not self._stands_in)

        def render(block: NDArray[np.int16], frames: int, _time: Times, flags: Flags) -> None:
            if not gate.is_open:
                block[:] = 0
                self._knock(gate)
                return
            if flags.output_underflow:
                self._underflows += 1
            block[:] = pull(frames)[:, np.newaxis]

        return render

    def _knock(self, gate: _Gate) -> None:
        assert self._loop is not None  # open sets it before the card is opened
        gate.knocks += 1
        if gate.knocks == STEADY_BLOCKS:
            self._loop.call_soon_threadsafe(self._let_in, gate)

    def _let_in(self, gate: _Gate) -> None:
        self._ticker.stop()
        self._stands_in = False
        gate.is_open = True

    def _stand_in(self) -> None:
        if not self._stands_in:
            self._stands_in = True
            self._ticker.start()

    def _discard(self, frames: int) -> None:
        self._pull(frames * FRAME_SAMPLES)

    def _report(self, report: DeviceReport) -> None:
        if self._tell is not None:
            self._tell(report)
