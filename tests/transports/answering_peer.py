"""A small aiortc answering peer behind ``/v1/realtime/calls``, told by the test what to say and how to fail.

What it hears, reads and is asked for it keeps; it decides nothing. Of couchvoice it has only what lets aiortc go.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from couchvoice.transports.peer import close_peer, own_connecting
from tests.audio.tones import pcm16, tone
from tests.patience import WAIT, until

URL = "http://localhost/v1/realtime/calls"  # a name: nobody listens there
SECRET = "ek_of_the_test"
CALL_ID = "rtc_1"
PITCH = 440.0  # Hz, of what it says

_RATE = 48_000  # Hz
_FRAME = 960  # samples
_STRING = 51  # RFC 8831 §8, WebRTC String


@dataclass(frozen=True, slots=True)
class Offer:
    """A request for a call, as it came."""

    headers: dict[str, str]
    sdp: str
    query: str


class AnsweringPeer:
    """``app`` is an ASGI application. ``close`` it, or use ``answering_peer``."""

    def __init__(self) -> None:
        self.offers: list[Offer] = []
        self.messages: list[str | bytes] = []
        self.heard: list[NDArray[np.int16]] = []  # stereo frames of 20 ms, mixed down
        self.refusal: Response | None = None  # instead of an answer
        self.hangs = False  # no reply at all
        self.edit: Callable[[str], str] = lambda sdp: sdp  # of the answer
        self.is_deaf = False  # to all that comes over SCTP
        self.asked = asyncio.Event()
        self.opened = asyncio.Event()
        self.gone = asyncio.Event()
        self.channel: RTCDataChannel | None = None
        self.on_event: Callable[[dict[str, Any]], None] = lambda event: None
        self.app: Any = Starlette(routes=[Route("/v1/realtime/calls", self._call, methods=["POST"])])
        self._peers: list[RTCPeerConnection] = []
        self._listening: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    @property
    def peer(self) -> RTCPeerConnection:
        return self._peers[-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the client sent."""
        return [json.loads(message) for message in self.messages]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def send(self, kind: str, **fields: object) -> None:
        self.send_raw(json.dumps({"type": kind, **fields}))

    def send_raw(self, message: str | bytes) -> None:
        assert self.channel is not None  # the test waits until it is open
        self.channel.send(message)

    async def send_as_text(self, payload: bytes) -> None:
        """Bytes that claim to be text, as aiortc itself would never send them."""
        assert self.channel is not None  # as above
        sctp: Any = self.peer.sctp
        await sctp._send(self.channel.id, _STRING, payload)

    async def flushed(self) -> None:
        """Return when the client's machine has acknowledged all that was sent."""
        sctp = self.peer.sctp
        assert sctp is not None  # there is a channel
        await until(lambda: not (sctp._data_channel_queue or sctp._outbound_queue or sctp._sent_queue))

    async def wait_for(self, seen: Callable[[], object]) -> None:
        """Until what was received so far satisfies the test."""
        async with asyncio.timeout(WAIT):
            while not seen():
                self._news.clear()
                await self._news.wait()

    async def close(self) -> None:
        for listening in self._listening:
            # The track of a call that never came about would be listened to for ever.
            listening.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        for peer in self._peers:
            await close_peer(peer, within=WAIT)

    async def _call(self, request: Request) -> Response:
        sdp = (await request.body()).decode()
        self.offers.append(Offer(dict(request.headers), sdp, request.url.query))
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.refusal is not None:
            return self.refusal
        answer = self.edit(await self._answer(sdp))
        return Response(answer, 201, {"Location": f"/v1/realtime/calls/{CALL_ID}"}, "application/sdp")

    async def _answer(self, sdp: str) -> str:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers.append(peer)
        # aiortc that is closed while it connects leaves a task and sockets: not what is tested here.
        own_connecting(peer, lambda reason: None)
        peer.on("track", self._track_came)
        peer.on("connectionstatechange", self._state_changed)
        peer.on("datachannel", self._channel_came)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        if self.is_deaf and peer.sctp is not None:
            peer.sctp._handle_data = _ignore  # type: ignore[method-assign]  # DTLS calls it
        peer.addTrack(_Tone())
        await peer.setLocalDescription(await peer.createAnswer())
        answer: str = peer.localDescription.sdp
        return answer

    def _state_changed(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            self.gone.set()
        self._news.set()

    def _channel_came(self, channel: RTCDataChannel) -> None:
        self.channel = channel
        channel.on("message", self._message_came)
        channel.on("close", self.gone.set)
        self.opened.set()

    def _message_came(self, message: str | bytes) -> None:
        self.messages.append(message)
        self._news.set()
        self.on_event(json.loads(message))

    def _track_came(self, track: MediaStreamTrack) -> None:
        self._listening.append(asyncio.create_task(self._listen(track), name="answering-peer-listens"))

    async def _listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)  # the offer has audio only
                channels = len(frame.layout.channels)
                self.heard.append(frame.to_ndarray().reshape(-1, channels).mean(axis=1).astype(np.int16))
                self._news.set()


@contextlib.asynccontextmanager
async def answering_peer() -> AsyncIterator[AnsweringPeer]:
    peer = AnsweringPeer()
    try:
        yield peer
    finally:
        await peer.close()


async def _ignore(data: bytes) -> None:
    pass


class _Tone(MediaStreamTrack):
    """Says one tone for ever, in real time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._start: float | None = None
        self._second = pcm16(tone(1.0, hertz=PITCH))

    async def recv(self) -> av.AudioFrame:
        now = asyncio.get_running_loop().time()
        self._start = self._start or now
        await asyncio.sleep(max(0.0, self._start + self._number * _FRAME / _RATE - now))
        at = self._number * _FRAME % self._second.size
        frame = av.AudioFrame.from_ndarray(self._second[None, at : at + _FRAME], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = _RATE, Fraction(1, _RATE), self._number * _FRAME
        self._number += 1
        return frame
