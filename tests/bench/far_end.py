"""The far end of the benchmarks, a process of its own: backend and provider on one port, with stock aiortc.

It hands out a secret, answers each offer, opens with ``session.created`` and hums. ``/idle`` answers when no call is
left, so that the end of one call does not burden the next. Law: it shares no code with couchvoice.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.bench.hum import HumTrack

SECRET = "ek_bench"
BACKLOG = 16

SESSION_CREATED = {
    "type": "session.created",
    "event_id": "event_1",
    "session": {"type": "realtime", "id": "sess_1", "object": "realtime.session", "model": "gpt-realtime-2.1"},
}
REPLIES: dict[str, dict[str, Any]] = {
    "session": {"client_secret": SECRET, "session_config": {"type": "realtime"}},
    "turn": {"recorded": False, "thread_id": "bench", "message_count": 0},
    "end": {"finalized": False, "summary": None, "detail": "Nothing to sum up."},
}


class FarEnd:
    """``asgi`` is the application. ``new_voice`` makes what each call hears; ``attend`` is told of each call's peer."""

    def __init__(
        self,
        new_voice: Callable[[], MediaStreamTrack] = HumTrack,
        attend: Callable[[RTCPeerConnection], None] = lambda _: None,
    ) -> None:
        self._new_voice, self._attend = new_voice, attend
        self._calls: set[RTCPeerConnection] = set()
        self._news = asyncio.Condition()
        self.asgi = Starlette(
            routes=[
                Route("/api/voice/realtime/{endpoint}", self._backend, methods=["POST"]),
                Route("/v1/realtime/calls", self._call, methods=["POST"]),
                Route("/idle", self._idle),
            ]
        )

    async def _backend(self, request: Request) -> Response:
        await request.json()
        return JSONResponse(REPLIES[request.path_params["endpoint"]])

    async def _call(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        peer, ear = RTCPeerConnection(RTCConfiguration(iceServers=[])), MediaBlackhole()
        self._calls.add(peer)

        @peer.on("track")
        async def _listen(track: MediaStreamTrack) -> None:
            ear.addTrack(track)
            await ear.start()

        @peer.on("datachannel")
        def _greet(channel: RTCDataChannel) -> None:
            channel.send(json.dumps(SESSION_CREATED))

        @peer.on("connectionstatechange")
        async def _clear_up() -> None:
            if peer.connectionState in ("closed", "failed"):
                await ear.stop()
                await peer.close()
                async with self._news:
                    self._calls.discard(peer)
                    self._news.notify_all()

        await peer.setRemoteDescription(RTCSessionDescription((await request.body()).decode(), "offer"))
        peer.addTrack(self._new_voice())
        self._attend(peer)
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {"Location": "/v1/realtime/calls/rtc_1"}
        return Response(peer.localDescription.sdp, 201, headers, media_type="application/sdp")

    async def _idle(self, request: Request) -> Response:
        async with self._news:
            await self._news.wait_for(lambda: not self._calls)
        return JSONResponse({})


async def main() -> None:
    """Serve until stdin ends."""
    # Named as TCP: asyncio leaves Nagle's algorithm on where the protocol is 0, and each reply on a used connection
    # then waits 40 ms for a delayed acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        server = uvicorn.Server(uvicorn.Config(FarEnd().asgi, log_level="warning", access_log=False, lifespan="off"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]), name="serve")
            print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            server.should_exit = True


if __name__ == "__main__":
    asyncio.run(main())
