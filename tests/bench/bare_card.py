"""The baseline of a talk through a sound card: aiortc, two streams of sounddevice, and a queue on either side.

As in the examples that one finds: blocks are collected to frames of 20 ms, what comes is queued for the loudspeaker.
Law: it shares no code with couchvoice, and it is not made slower than it has to be.
"""

from __future__ import annotations

import asyncio
from collections import deque
from fractions import Fraction
from typing import Any

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

RATE = 48_000  # Hz
FRAME = RATE // 50  # samples
BLOCK = RATE // 100  # samples


class CardTrack(MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._blocks: asyncio.Queue[np.ndarray] = asyncio.Queue()
        self._sent = 0

    def capture(self, block: np.ndarray, *_: object) -> None:
        """The fake card's callback comes on the loop; a real one's would have to be handed over."""
        self._blocks.put_nowait(block[:, 0].copy())

    async def recv(self) -> av.AudioFrame:
        samples = np.concatenate([await self._blocks.get() for _ in range(FRAME // BLOCK)])
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._sent
        self._sent += FRAME
        return frame


class BareCard:
    """One call through the module sounddevice's default devices. ``app`` answers the offer, in this process."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._queue: deque[np.ndarray] = deque()

    async def connect(self) -> None:
        import sounddevice as sd

        microphone = CardTrack()
        self._peer.addTrack(microphone)
        self._peer.createDataChannel("oai-events")
        self._peer.on("track", self._listen)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app)) as http:
            answer = await http.post(
                "http://localhost/v1/realtime/calls",
                content=self._peer.localDescription.sdp,
                headers={"Authorization": "Bearer ek_bench"},
            )
        await self._peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        shape: dict[str, Any] = {"samplerate": RATE, "channels": 1, "dtype": "int16", "blocksize": BLOCK}
        shape |= {"latency": "low", "finished_callback": _ignore}
        self._streams = [
            sd.InputStream(device=sd.default.device[0], callback=microphone.capture, **shape),
            sd.OutputStream(device=sd.default.device[1], callback=self._play, **shape),
        ]
        for stream in self._streams:
            stream.start()

    async def close(self) -> None:
        for stream in self._streams:
            stream.close()
        await self._peer.close()
        await self._reading

    def _listen(self, track: MediaStreamTrack) -> None:
        self._reading = asyncio.create_task(self._read(track), name="read")  # awaited in close()

    async def _read(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            left = frame.to_ndarray().reshape(-1, 2)[:, 0]
            self._queue.extend(left.reshape(-1, BLOCK))

    def _play(self, block: np.ndarray, *_: object) -> None:
        block[:] = self._queue.popleft()[:, None] if self._queue else 0


def _ignore() -> None:
    pass
