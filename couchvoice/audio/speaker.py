"""The loudspeaker: a card as a Sink, whose callback is the clock.

While there is no card a timer pulls in its place, so that the talk goes on as if somebody listened.
Law: one consumer at a time: the timer stops before a stream is opened, and starts when none runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

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

log = logging.getLogger("couchvoice.audio")


class Speaker:
    """A Sink over a card of any rate and number of channels. ``volume`` in percent, 0 to 200, at any time.

    ``selector``: index, name, or part of a name; None for the system's default. ``open`` raises DeviceNotFound for a
    name that fits no device or several, and AudioDeviceError without PortAudio. Any other failure is reported, nobody
    hears anything until the device is there, and the talk goes on.
    """

    def __init__(self, selector: str | None = None, *, volume: float = FULL_VOLUME) -> None:
        self._card = Card(
            "output", selector, callback_for=self._callback_for, tell=self._report, hand_over=self._hand_over
        )
        self._tell: Callable[[DeviceReport], None] | None = None
        self._volume = Volume(volume)
        self._pull: Callable[[int], NDArray[np.int16]] = silence
        self._ticker = Ticker(self._discard)
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
        self._pull = playout.pull
        try:
            await self._card.open()
        except AudioDeviceError as exc:
            if not exc.retryable:
                raise
            log.warning("x %s", exc)
            self._report(DeviceReport("output", "missing", None, str(exc)))
            self._hand_over(False)
            self._card.keep()

    async def close(self) -> None:
        await self._card.close()
        self._ticker.stop()

    def _callback_for(self, rate: int) -> Callback:
        pull = self._pull if rate == SAMPLE_RATE else PulledResampler(self._pull, SAMPLE_RATE, rate).pull
        volume = self._volume

        def render(block: NDArray[np.int16], frames: int, _time: Times, flags: Flags) -> None:
            if flags.output_underflow:
                self._underflows += 1
            block[:] = volume.apply(pull(frames))[:, np.newaxis]

        return render

    def _hand_over(self, to_card: bool) -> None:
        if to_card:
            self._ticker.stop()
        else:
            self._ticker.start()

    def _discard(self, frames: int) -> None:
        self._pull(frames * FRAME_SAMPLES)

    def _report(self, report: DeviceReport) -> None:
        if self._tell is not None:
            self._tell(report)
