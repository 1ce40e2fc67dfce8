"""The baseline of a call: what a careful script does with aiortc and httpx, and nothing more.

The same secret request, the same offer, a tone as microphone; what it hears it decodes and drops.
As a program it makes one call, tells its times, and holds the call until stdin ends.
Law: it shares no code with couchvoice, and it is not made slower than it has to be.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time

import httpx
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole

from tests.bench.hum import HumTrack


class BareCall:
    """``ice_servers`` None: aiortc's default, which is a public STUN server."""

    def __init__(self, url: str, ice_servers: list[RTCIceServer] | None) -> None:
        self.open_ms = 0.0
        self.ready_ms = 0.0
        self._url = url
        self._ice_servers = ice_servers

    async def connect(self) -> None:
        """Return when ``session.created`` has come."""
        started = time.perf_counter()
        opened, ready = asyncio.Event(), asyncio.Event()
        # An empty context: the default one reads the system's certificates, 20 ms that plain http does not need.
        async with httpx.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as http:
            reply = await http.post(f"{self._url}/api/voice/realtime/session", json={"thread_id": "bench"})
            secret = reply.json()["client_secret"]
            self._ear = ear = MediaBlackhole()
            self._peer = peer = RTCPeerConnection(RTCConfiguration(iceServers=self._ice_servers))
            peer.addTrack(HumTrack())
            channel = peer.createDataChannel("oai-events")
            channel.on("open", opened.set)
            channel.on("message", lambda _: ready.set())
            peer.on("track", ear.addTrack)
            await peer.setLocalDescription(await peer.createOffer())
            answer = await http.post(
                f"{self._url}/v1/realtime/calls",
                content=peer.localDescription.sdp,
                headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/sdp"},
            )
            await peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
            await ear.start()
            await opened.wait()
            self.open_ms = (time.perf_counter() - started) * 1000
            await ready.wait()
            self.ready_ms = (time.perf_counter() - started) * 1000

    async def close(self) -> None:
        await self._ear.stop()
        await self._peer.close()


async def main(url: str) -> None:
    call = BareCall(url, [])
    await call.connect()
    print(json.dumps({"open_ms": call.open_ms, "ready_ms": call.ready_ms}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await call.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
