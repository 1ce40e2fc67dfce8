"""Ours, as an application embeds it: a VoiceSession with a tone as microphone and nobody at the loudspeaker.

As a program it makes one call, tells its times, and holds the call until stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.sink import NullSink
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.notices import StateChanged
from couchvoice.core.state import SessionState
from tests.bench.hum import RATE, Hum


class HumSource:
    """A Source that never finishes."""

    def __init__(self) -> None:
        self._hum = Hum()

    async def open(self) -> None:
        pass

    async def read(self) -> AudioFrame:
        return AudioFrame(await self._hum.next(), RATE)

    async def finished(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


class OurCall:
    def __init__(self, url: str) -> None:
        self.open_ms = 0.0
        self.ready_ms = 0.0
        self._endpoints = Endpoints(backend_url=url, realtime_url=f"{url}/v1")

    async def connect(self) -> None:
        """Return when the talk can begin."""
        started = time.perf_counter()
        self._session = VoiceSession(self._endpoints, source=HumSource(), sink=NullSink())
        self._watching = asyncio.create_task(self._watch(started), name="watch")  # awaited in close()
        await self._session.connect()
        self.ready_ms = (time.perf_counter() - started) * 1000

    async def close(self) -> None:
        await self._session.disconnect()
        await self._watching

    async def _watch(self, started: float) -> None:
        async for notice in self._session:
            # The first thing that the session knows of an open channel.
            if notice == StateChanged(SessionState.WARMING):
                self.open_ms = (time.perf_counter() - started) * 1000


async def main(url: str) -> None:
    call = OurCall(url)
    await call.connect()
    print(json.dumps({"open_ms": call.open_ms, "ready_ms": call.ready_ms}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await call.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
