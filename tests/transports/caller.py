"""Our end of a call for the tests of the transport: a tone as microphone, and what was heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.opus import OpusDecoder
from couchvoice.audio.pacing import Pace
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient
from couchvoice.transports.webrtc import WebRTCTransport
from tests.audio.tones import pcm16, tone
from tests.patience import WAIT
from tests.transports.answering_peer import SECRET, URL, AnsweringPeer

PITCH = 600.0  # Hz, of what it says


class Caller:
    """The frames of a microphone, and the ears."""

    def __init__(self) -> None:
        self.heard: list[AudioFrame] = []
        self.packets: list[MediaPacket] = []
        self.gaps: list[float] = []
        self.on_frame: Callable[[AudioFrame], None] = lambda frame: None
        self._second = pcm16(tone(1.0, hertz=PITCH))
        self._pace = Pace()
        self._read = 0
        self._decoder = OpusDecoder()
        self._news = asyncio.Event()

    async def read(self) -> AudioFrame:
        await self._pace.wait()
        at = self._read * FRAME_SAMPLES % SAMPLE_RATE
        self._read += 1
        return AudioFrame(self._second[at : at + FRAME_SAMPLES], SAMPLE_RATE)

    def receive(self, packet: MediaPacket) -> None:
        self.packets.append(packet)
        self.hear(AudioFrame(self._decoder.decode(packet.payload), SAMPLE_RATE))

    def hear(self, frame: AudioFrame) -> None:
        self.heard.append(frame)
        self._news.set()
        self.on_frame(frame)

    async def wait_until_heard(self, frames: int) -> NDArray[np.int16]:
        """The last so many frames, as one."""
        async with asyncio.timeout(WAIT):
            while len(self.heard) < frames:
                self._news.clear()
                await self._news.wait()
        return np.concatenate([frame.samples for frame in self.heard[-frames:]])


@asynccontextmanager
async def transport_to(
    peer: AnsweringPeer, caller: Caller | None = None, **options: Any
) -> AsyncIterator[WebRTCTransport]:
    """Not connected yet; closed when the block is left."""
    caller = caller or Caller()
    async with HttpClient(URL, app=peer.app) as http:
        transport = WebRTCTransport(
            URL,
            Private(SECRET),
            http=http,
            read=caller.read,
            on_packet=caller.receive,
            on_frame=caller.hear,
            on_gap=caller.gaps.append,
            **options,
        )
        try:
            yield transport
        finally:
            await transport.close()
