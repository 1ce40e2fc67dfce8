"""A caller of aiortc alone, to try the foreign Realtime end before couchvoice does.

It offers one audio line and the channel ``oai-events``, speaks tones, keeps what it gets, and decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError

from tests.e2e.talk import LEAD, LOUD, UTTERANCE, write_utterances

WAIT = 10.0  # seconds: for anything at all
FRAME_RATE = Fraction(1, 50)  # seconds per received frame


class BarePeer:
    """One call. ``received`` holds the texts and bytes that came on the channel."""

    def __init__(self) -> None:
        self.received: list[str | bytes] = []
        self.loud_ms = 0
        self.peer = RTCPeerConnection()
        self.channel = self.peer.createDataChannel("oai-events")
        self._news = asyncio.Condition()
        self._listening: asyncio.Task[None] | None = None
        self._telling: set[asyncio.Task[None]] = set()  # awaited in close()
        self.channel.on("message", self._message)
        self.channel.on("close", self._tell)
        self.peer.on("track", self._track)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.received if isinstance(text, str)]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def call(self, url: str, *, secret: str, spoken: Path) -> httpx.Response:
        """Offer, and use the answer if there is one."""
        microphone = MediaPlayer(str(spoken)).audio
        assert microphone is not None  # a WAV has an audio stream
        self.peer.addTrack(microphone)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/sdp"}
        async with httpx.AsyncClient() as http:
            response = await http.post(f"{url}/realtime/calls", content=self.peer.localDescription.sdp, headers=headers)
        if response.status_code == 201:
            await self.peer.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        return response

    def send(self, kind: str, **fields: object) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}))

    async def wait_for(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT), self._news:
            await self._news.wait_for(seen)

    async def wait_for_event(self, kind: str) -> None:
        await self.wait_for(lambda: kind in self.types())

    async def close(self) -> None:
        await self.peer.close()
        if self._listening is not None:
            await self._listening
        await asyncio.gather(*self._telling)

    def _message(self, message: str | bytes) -> None:
        self.received.append(message)
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        task = asyncio.create_task(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _track(self, track: MediaStreamTrack) -> None:
        self._listening = asyncio.create_task(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                samples = frame.to_ndarray().astype(np.float64)
                if np.sqrt(np.mean(samples**2)) > LOUD:
                    self.loud_ms += round(1000 * FRAME_RATE)


@asynccontextmanager
async def bare_call(
    url: str, directory: Path, *, secret: str, starts: Sequence[float] = (LEAD,)
) -> AsyncIterator[tuple[BarePeer, httpx.Response]]:
    """A call with an utterance at each of ``starts``, for as long as the block lasts."""
    spoken = directory / "bare.wav"
    write_utterances(spoken, starts=starts, seconds=starts[-1] + UTTERANCE + WAIT)
    peer = BarePeer()
    try:
        yield peer, await peer.call(url, secret=secret, spoken=spoken)
    finally:
        await peer.close()
