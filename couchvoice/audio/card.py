"""One direction of a sound card, kept open through unplugging and replugging. Its samples go past it.

    OPEN      a stream runs on the device that is meant
    REPLACED  that one is gone, a stream runs on the system's default
    LOST      no stream runs; the device is looked for

A stream that finishes though nobody stopped it has lost its device; so has one whose callback is not called any more.
Law: a device is found again by its name; it is looked for from outside first, and PortAudio is restarted, which
interrupts the other direction, only when a device is there that ours does not see.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio import portaudio
from couchvoice.audio.devices import Device, find, find_named
from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.audio.look import look
from couchvoice.audio.portaudio import Kind
from couchvoice.audio.report import DeviceReport, Status
from couchvoice.errors import AudioDeviceError

BLOCKS_PER_SECOND = 100  # 10 ms: one block is what a barge-in waits for
# s; PortAudio's "low" costs four times the CPU. A loudspeaker on PulseAudio, one minute at a load of 12: 50 underruns
# with 20 ms, 32 with 30, 12 with 40; a microphone's buffer delays nothing, and has never run over.
LATENCY = {"input": 0.02, "output": 0.04}
CHECK_EVERY = 1.0  # s between looks for what is missing, and between checks whether the callback is still called
STALLED_CHECKS = 3  # in a row; PulseAudio's sinks may sleep for two seconds
LONGEST_PATIENCE = 30.0  # s; after restarts in vain the next one waits, doubling up to this

log = logging.getLogger("couchvoice.audio")


class Flags(Protocol):
    """sounddevice's CallbackFlags, as far as they are read."""

    input_overflow: bool
    output_underflow: bool


class Times(Protocol):
    """PortAudio's PaStreamCallbackTimeInfo, in seconds; ``inputBufferAdcTime`` is that of the block's first sample."""

    inputBufferAdcTime: float


class _Stream(Protocol):
    def start(self) -> None: ...
    def close(self, ignore_errors: bool = True) -> None: ...


Callback = Callable[[NDArray[np.int16], int, Times, Flags], None]
"""Called in the card's thread with a block of int16, one column for each channel; it copies, counts and returns."""


class CardState(enum.Enum):
    OPEN = "open"
    REPLACED = "replaced"
    LOST = "lost"


class Card:
    """``selector`` as for find_input. ``callback_for(rate)``, in PortAudio's thread, makes the callback of a stream.

    ``on_closed`` is called on the loop when no stream runs any more, though nobody asked for it.
    Its task lives from ``open``, or ``keep``, to ``close``, which awaits it.
    """

    def __init__(
        self,
        kind: Kind,
        selector: str | None,
        *,
        callback_for: Callable[[int], Callback],
        tell: Callable[[DeviceReport], None],
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._kind = kind
        self._selector = selector
        self._callback_for = callback_for
        self._tell = tell
        self._on_closed = on_closed
        self._wanted = selector  # the device's full name, once it is known; None: the system's default
        self._state = CardState.LOST
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._patience = CHECK_EVERY
        # Written in PortAudio's thread:
        self._stream: _Stream | None = None
        self._suspended = False
        self._name: str | None = None  # of the device that was opened last
        # Written in the card's thread: a stream that lives counts on.
        self._beats = 0

    @property
    def is_open(self) -> bool:
        return self._state is not CardState.LOST

    @property
    def name(self) -> str | None:
        """Of the device that was opened last."""
        return self._name

    async def open(self) -> None:
        """Raises AudioDeviceError; then nothing is left open."""
        self._loop = asyncio.get_running_loop()
        await portaudio.call_soon(self._open_first)
        self._state = CardState.OPEN
        self.keep()

    def keep(self) -> None:
        """From now on what is missing is looked for, and opened when it is there."""
        self._loop = asyncio.get_running_loop()
        self._keeper = self._keeper or self._loop.create_task(self._keep(), name=f"keep-{self._kind}")

    async def close(self) -> None:
        """Idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait({keeper})
        # Shielded: whoever lost patience with a device must not leave it open.
        await asyncio.shield(portaudio.call_soon(self._close))

    # The keeper, on the loop

    async def _keep(self) -> None:
        beats, standing = -1, 0
        while True:
            await self._pause()
            beats, standing = self._beats, standing + 1 if self._beats == beats else 0
            if self._state is not CardState.LOST and (self._gone.is_set() or standing >= STALLED_CHECKS):
                standing = 0
                await self._lose()
            self._gone.clear()
            if self._state is not CardState.OPEN:
                await self._find_again()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._gone.wait()
        except TimeoutError:
            pass

    async def _lose(self) -> None:
        await portaudio.call_soon(self._close_stream)
        self._on_closed()
        self._change(CardState.LOST, "lost", self._wanted or self._name)

    async def _find_again(self) -> None:
        found = await look(self._kind, self._wanted)
        if found.wanted is not None:
            await self._reopen(found.wanted, CardState.OPEN, "restored")
        elif self._state is CardState.LOST and found.default is not None:
            if self._wanted is None:
                await self._reopen(found.default, CardState.OPEN, "restored")
            else:
                await self._reopen(found.default, CardState.REPLACED, "replaced")
        else:
            self._patience = CHECK_EVERY

    async def _reopen(self, name: str, state: CardState, status: Status) -> None:
        await portaudio.call_soon(self._close_stream)
        self._on_closed()
        try:
            await portaudio.call_soon(lambda: self._open_again(name))
        except AudioDeviceError as exc:
            # Seen from outside it can be opened. Each try may have cost the other direction a moment.
            log.debug("x %s", exc)
            self._patience = min(2 * self._patience, LONGEST_PATIENCE)
            self._state = CardState.LOST
        else:
            self._patience = CHECK_EVERY
            self._gone.clear()
            self._change(state, status, name)

    def _change(self, state: CardState, status: Status, name: str | None) -> None:
        self._state = state
        log.info("= %s device %s: %s", self._kind, name, status)
        self._tell(DeviceReport(self._kind, status, name))

    # In PortAudio's thread

    def suspend(self) -> None:
        self._suspended = self._stream is not None
        self._close_stream()

    def resume(self) -> None:
        if not self._suspended or self._name is None:
            return
        try:
            self._start(find_named(self._kind, self._name))
        except AudioDeviceError as exc:
            log.debug("x %s", exc)
            self._report_gone()

    def _open_first(self) -> None:
        try:
            device = self._start(find(self._kind, self._selector))
        except AudioDeviceError:
            # The list may be older than the device.
            if portaudio.in_use():
                raise
            portaudio.restart(self._kind)
            device = self._start(find(self._kind, self._selector))
        self._wanted = None if self._selector is None else device.name
        portaudio.hold(self)

    def _open_again(self, name: str) -> None:
        try:
            self._start(find_named(self._kind, name))
        except AudioDeviceError:
            portaudio.restart(self._kind)
            self._start(find_named(self._kind, name))
        portaudio.hold(self)

    def _close(self) -> None:
        portaudio.let_go(self)
        self._close_stream()

    def _close_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _start(self, device: Device) -> Device:
        with (
            portaudio.portaudio(self._kind, f'open the {self._kind} device "{device.name}"') as sd,
            ExitStack() as undo,
        ):
            rate, channels = _best_format(sd, self._kind, device)
            callback = self._callback_for(rate)

            def block_due(block: NDArray[np.int16], frames: int, time: Times, flags: Flags) -> None:
                self._beats += 1
                callback(block, frames, time, flags)

            def finished() -> None:
                if self._stream is stream:  # else it is we who closed it
                    self._report_gone()

            stream = (sd.InputStream if self._kind == "input" else sd.OutputStream)(
                device=device.index,
                samplerate=rate,
                channels=channels,
                dtype="int16",
                blocksize=rate // BLOCKS_PER_SECOND,
                latency=LATENCY[self._kind],
                callback=block_due,
                finished_callback=finished,
            )
            undo.callback(stream.close)
            self._stream, self._name = stream, device.name
            undo.callback(self._forget_stream)
            stream.start()
            undo.pop_all()
        return device

    def _forget_stream(self) -> None:
        self._stream = None

    def _report_gone(self) -> None:
        assert self._loop is not None  # nothing is opened before it is known
        self._loop.call_soon_threadsafe(self._gone.set)


def _best_format(sd: ModuleType, kind: Kind, device: Device) -> tuple[int, int]:
    """48 kHz if the card can, and as few channels as it can."""
    check: Callable[..., Any] = sd.check_input_settings if kind == "input" else sd.check_output_settings
    channel_counts = (1, 2, device.channels(kind))
    formats = [(rate, channels) for rate in (SAMPLE_RATE, device.default_rate) for channels in channel_counts]
    for rate, channels in formats:
        try:
            check(device=device.index, channels=channels, dtype="int16", samplerate=rate)
        except sd.PortAudioError:
            continue
        return rate, channels
    return formats[0]  # opening it fails, and PortAudio then says why
