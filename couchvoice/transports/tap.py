"""A tap on a transport: somebody who is shown every event and every piece of sound of a talk, both ways.

Not a place to change anything: what is shown has been handed on, or is about to be. Law: a tap that fails must not
fail the talk, so it is asked to raise nothing, and it is a plain function each time: nobody waits for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.transports.transport import Transport


class Tap(Protocol):
    def sent(self, event: str) -> None:
        """A client event has left."""

    def received(self, event: str | bytes) -> None:
        """The provider has sent this; whoever reads the events gets it next."""

    def spoken(self, frame: AudioFrame) -> None:
        """20 ms as they leave: silence while the user is muted."""

    def heard(self, sound: MediaPacket | AudioFrame) -> None:
        """The provider's sound as it came off the wire; a frame where the packets cannot be had."""


class TappedTransport:
    """A Transport that shows its events to ``tap``."""

    def __init__(self, transport: Transport, tap: Tap) -> None:
        self._transport = transport
        self._tap = tap

    async def connect(self) -> None:
        await self._transport.connect()

    def send(self, event: str) -> None:
        self._transport.send(event)
        self._tap.sent(event)

    async def events(self) -> AsyncIterator[str | bytes]:
        async for event in self._transport.events():
            self._tap.received(event)
            yield event

    async def close(self) -> None:
        await self._transport.close()


def tapped_read(read: Callable[[], Awaitable[AudioFrame]], tap: Tap) -> Callable[[], Awaitable[AudioFrame]]:
    """What leaves, shown as it is read."""

    async def read_and_show() -> AudioFrame:
        frame = await read()
        tap.spoken(frame)
        return frame

    return read_and_show


def tapped_packets(take: Callable[[MediaPacket], None], tap: Tap) -> Callable[[MediaPacket], None]:
    """What comes as packets."""

    def show_and_take(packet: MediaPacket) -> None:
        tap.heard(packet)
        take(packet)

    return show_and_take


def tapped_frames(take: Callable[[AudioFrame], None], tap: Tap) -> Callable[[AudioFrame], None]:
    """What comes as frames."""

    def show_and_take(frame: AudioFrame) -> None:
        tap.heard(frame)
        take(frame)

    return show_and_take
