"""The microphone: a card as a Source.

While the card gives nothing, or is gone, silence goes out in real time, so that RTP goes on.
Law: the card's callback copies, counts and returns; what is made of it stands in Intake, when it comes back in Card.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.card import Callback, Card, Flags, Times
from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.audio.intake import Block, Intake
from couchvoice.audio.report import DeviceReport

SILENT_AFTER = 5.0  # s of nothing but zeros, which no microphone that may be heard gives


class Microphone:
    """A Source over a card: frames of 20 ms, int16 mono, 48 kHz, whatever the card's rate and channels are.

    ``selector``: index, name, or part of a name; None for the system's default. ``open`` raises AudioDeviceError
    (DeviceNotFound, DeviceUnavailable, MicrophoneDenied). Afterwards the device may come and go.
    """

    def __init__(self, selector: str | None = None) -> None:
        self._card = Card("input", selector, callback_for=self._callback_for, tell=self._report)
        self._tell: Callable[[DeviceReport], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._intake = Intake()
        self._zeros = 0  # samples since it was opened, and nothing else; -1: it has been heard, or that has been told

    @property
    def lost_blocks(self) -> int:
        """Blocks of 10 ms that became silence: dropped by the card, not taken in time, or late."""
        return self._intake.lost_blocks

    def report_to(self, tell: Callable[[DeviceReport], None]) -> None:
        self._tell = tell

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._card.open()

    async def read(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        while (samples := self._intake.take(loop.time())) is None:
            self._arrived.clear()
            try:
                async with asyncio.timeout_at(self._intake.due):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        self._watch(samples)
        return AudioFrame(samples, SAMPLE_RATE)

    async def finished(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        await self._card.close()

    def _callback_for(self, rate: int) -> Callback:
        loop, intake, arrived = self._loop, self._intake, self._arrived
        assert loop is not None  # open sets it before the card is opened

        def capture(block: NDArray[np.int16], _frames: int, time: Times, flags: Flags) -> None:
            intake.put(Block(block.copy(), rate, time.inputBufferAdcTime, bool(flags.input_overflow)))
            loop.call_soon_threadsafe(arrived.set)

        return capture

    def _watch(self, samples: NDArray[np.int16]) -> None:
        """macOS, and a switch on the microphone, give zeros in place of an error."""
        if samples.any():
            # It may be heard. Zeros later on are a switch that somebody has pressed, or a clean pause of a line.
            self._zeros = -1
        elif self._zeros >= 0 and not self._intake.stands_still:
            self._zeros += samples.size
            if self._zeros >= SILENT_AFTER * SAMPLE_RATE:
                self._zeros = -1
                self._report(DeviceReport("input", "silent", self._card.name))

    def _report(self, report: DeviceReport) -> None:
        if self._tell is not None:
            self._tell(report)
