"""A caller over WebSocket of the websockets package alone: appends what it is told, keeps what it gets."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import numpy as np
import websockets
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame, base64_from_pcm16, silence
from couchvoice.local.engines.recordings import Recording
from couchvoice.local.resample import resample
from tests.local.caller import KEY, WAIT
from tests.local.wire import WEBSOCKET_LACKS, Event, SessionJudge
from tests.patience import until

RATE = 24_000  # Hz, of audio/pcm
STEP = RATE // 10  # samples in one append
PAUSE = RATE  # samples of silence after what is said: more than the detector waits for
BEARER = {"Authorization": f"Bearer {KEY}"}


class SocketCaller:
    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self.garbage: list[str | bytes] = []  # texts that are no events

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def sound(self) -> NDArray[np.int16]:
        """All that was said to us, in audio/pcm."""
        pieces = [base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta")]
        return np.frombuffer(b"".join(pieces), "<i2").astype(np.int16)

    async def send(self, kind: str, **fields: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def say(self, recording: Recording) -> None:
        """Faster than anybody speaks."""
        await self.append(np.concatenate([spoken(recording), silence(PAUSE)]))

    async def append(self, samples: NDArray[np.int16]) -> None:
        for start in range(0, samples.size, STEP):
            await self.send("input_audio_buffer.append", audio=base64_from_pcm16(samples[start : start + STEP]))

    async def wait_for(self, kind: str, *, count: int = 1) -> Event:
        """The last of so many events of this type."""
        await until(lambda: len(self.of(kind)) >= count, within=WAIT)
        return self.of(kind)[count - 1]

    async def listen(self) -> None:
        with suppress(websockets.ConnectionClosed):
            while True:
                self._take(await self.connection.recv())

    def _take(self, text: str | bytes) -> None:
        with suppress(ValueError):
            event = json.loads(text)
            if isinstance(event, dict) and "event_id" in event and "type" in event:
                self.events.append(event)
                return
        self.garbage.append(text)


def spoken(recording: Recording, rate: int = RATE) -> NDArray[np.int16]:
    return resample(AudioFrame(recording.samples, recording.rate), rate).samples


def joined(
    place: str, *, query: str = "", headers: Mapping[str, str] = BEARER, subprotocols: tuple[str, ...] = ()
) -> websockets.connect:
    """The bare connection."""
    url = f"ws://{place}/v1/realtime{query}"
    names = [websockets.Subprotocol(name) for name in subprotocols] or None
    return websockets.connect(url, additional_headers=headers, subprotocols=names, max_size=None, compression=None)


@asynccontextmanager
async def conversing(
    place: str,
    *,
    query: str = "",
    headers: Mapping[str, str] = BEARER,
    subprotocols: tuple[str, ...] = (),
    lacks: str = WEBSOCKET_LACKS,
    judged: bool = True,
) -> AsyncIterator[SocketCaller]:
    """A session; its events are judged when it is over. ``lacks``: what there is not on its transport."""
    async with joined(place, query=query, headers=headers, subprotocols=subprotocols) as connection:
        caller = SocketCaller(connection)
        listening = asyncio.create_task(caller.listen(), name="caller-listens")
        try:
            await caller.wait_for("session.created")
            yield caller
        finally:
            await connection.close()
            await listening
    judge = SessionJudge(lacks=lacks)
    for event in caller.events if judged else ():
        judge.see(event)
