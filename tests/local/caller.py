"""A caller of aiortc alone, and the served application that it calls.

It offers one audio line and a data channel, speaks what it is told, keeps what it gets, and decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSctpTransport, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Pace
from couchvoice.local.engines import Engines
from couchvoice.local.engines.hearing import choose_recognizer
from couchvoice.local.engines.recordings import Recording, load_recordings
from couchvoice.local.engines.replies import Rules
from couchvoice.local.engines.voice import Tone
from couchvoice.local.http.app import RealtimeApp
from couchvoice.local.resample import resample
from couchvoice.local.server_options import ServerOptions
from couchvoice.transports.peer import DATA_CHANNEL_LABEL, prepare_to_gather
from tests.local.speech import FIXTURES
from tests.local.staged import TRANSCRIBES
from tests.local.wire import Event, SessionJudge
from tests.patience import until

URL = "http://localhost/v1/realtime"  # a name: nobody listens there
KEY = "sk-anything"
SDP = {"Content-Type": "application/sdp"}
WAIT = 10.0  # seconds, for an utterance and its answer
LOUD = 300.0  # RMS of a frame that is sound


@functools.cache
def known(name: str) -> list[Recording]:
    """The utterances of a fixture."""
    return load_recordings([FIXTURES / f"{name}.wav"])


@functools.cache
def engines() -> Engines:
    """They keep nothing of a call. Tones for a voice: these take no time to make."""
    return Engines(choose_recognizer(recordings=[*known("first-talk"), *known("barge-in")]), Rules.load(), Tone())


@asynccontextmanager
async def served(
    parts: Engines | None = None, *, clock: Callable[[], float] = time.time, **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The application, running, behind a client that holds a key. ``options`` are those of ServerOptions."""
    app = RealtimeApp(parts or engines(), ServerOptions(**options), clock=clock).asgi
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL, headers=headers) as http,
    ):
        yield http


async def minted(http: httpx.AsyncClient, config: Mapping[str, Any] = TRANSCRIBES) -> str:
    response = await http.post("/client_secrets", json={"session": config})
    assert response.status_code == 200, response.text
    return str(response.json()["value"])


class Caller:
    """Offer, post, accept; then ``say`` and ``send``."""

    def __init__(
        self,
        *,
        label: str = DATA_CHANNEL_LABEL,
        directions: Sequence[str] = ("sendrecv",),
        channel_id: int | None = None,
    ) -> None:
        self.messages: list[str | bytes] = []
        self.loud_ms = 0
        self.call_id = ""
        self.closed = asyncio.Event()
        self.microphone = Microphone()
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for direction in directions:
            speaks = direction in ("sendrecv", "sendonly")
            self.peer.addTransceiver(self.microphone if speaks else "audio", direction=direction)
        self.channel = self.peer.createDataChannel(label, negotiated=channel_id is not None, id=channel_id)
        self.channel.on("message", self.messages.append)
        self.channel.on("close", self.closed.set)
        self.peer.on("track", self._track_came)
        self.peer.on("connectionstatechange", self._state_changed)
        self._listening: list[asyncio.Task[None]] = []

    @property
    def events(self) -> list[Event]:
        return [json.loads(message) for message in self.messages]

    @property
    def sctp(self) -> RTCSctpTransport:
        assert self.peer.sctp is not None  # there is a channel
        return self.peer.sctp

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    async def offer(self) -> str:
        prepare_to_gather(self.peer)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        sdp: str = self.peer.localDescription.sdp
        return sdp

    async def call(
        self, http: httpx.AsyncClient, bearer: str, *, edit: Callable[[str], str] = lambda sdp: sdp, query: str = ""
    ) -> httpx.Response:
        headers = SDP | {"Authorization": f"Bearer {bearer}"}
        response = await http.post(f"/calls{query}", content=edit(await self.offer()), headers=headers)
        assert response.status_code == 201, response.text
        self.call_id = response.headers["Location"].rpartition("/")[2]
        return response

    async def accept(self, answer: str) -> None:
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def say(self, recording: Recording) -> None:
        self.microphone.say(resample(AudioFrame(recording.samples, recording.rate), SAMPLE_RATE).samples)

    def send(self, kind: str, **fields: object) -> None:
        self.channel.send(json.dumps({"type": kind, **fields}, ensure_ascii=False))

    async def wait_for(self, kind: str, *, count: int = 1) -> Event:
        """The last of so many events of this type."""
        await until(lambda: len(self.of(kind)) >= count, within=WAIT)
        return self.of(kind)[count - 1]

    async def close(self) -> None:
        await self.peer.close()
        for listening in self._listening:
            # The track of a call that never came about would be listened to for ever.
            listening.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)

    def _state_changed(self) -> None:
        if self.peer.connectionState in ("failed", "closed"):
            self.closed.set()

    def _track_came(self, track: MediaStreamTrack) -> None:
        self._listening.append(asyncio.create_task(self._listen(track), name="caller-listens"))

    async def _listen(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)  # the server sends sound only
                if np.sqrt(np.mean(frame.to_ndarray().astype(np.float64) ** 2)) > LOUD:
                    self.loud_ms += 20


@asynccontextmanager
async def calling(
    http: httpx.AsyncClient,
    *,
    bearer: str | None = None,
    edit: Callable[[str], str] = lambda sdp: sdp,
    directions: Sequence[str] = ("sendrecv",),
) -> AsyncIterator[Caller]:
    """A call whose channel is open; the events of a call that went well are judged when it is over."""
    caller = Caller(directions=directions)
    try:
        response = await caller.call(http, bearer or await minted(http), edit=edit)
        await caller.accept(response.text)
        await caller.wait_for("session.created")
        yield caller
        judge = SessionJudge()
        for event in caller.events:
            judge.see(event)
    finally:
        await caller.close()


class Microphone(MediaStreamTrack):
    """Silence in real time, and in it what it is told to say."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pace = Pace()
        self._unsaid: NDArray[np.int16] = silence(0)
        self._timestamp = 0
        self._paused = False

    @property
    def is_silent(self) -> bool:
        return not self._unsaid.size

    def say(self, samples: NDArray[np.int16]) -> None:
        self._unsaid = np.concatenate([self._unsaid, samples])

    def pause(self) -> None:
        """From now on no packet goes out."""
        self._paused = True

    async def recv(self) -> av.AudioFrame:
        await self._pace.wait()
        if self._paused:
            await asyncio.Event().wait()  # until the call is over
        head, self._unsaid = self._unsaid[:FRAME_SAMPLES], self._unsaid[FRAME_SAMPLES:]
        samples = np.concatenate([head, silence(FRAME_SAMPLES - head.size)])
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE, Fraction(1, SAMPLE_RATE), self._timestamp
        self._timestamp += FRAME_SAMPLES
        return frame
