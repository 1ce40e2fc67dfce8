"""The baseline of a server: stock aiortc that answers offers, and says silence, a question over and over, or an echo.

It decodes what it hears and drops it. What comes on a data channel goes back, and so does what comes on the WebSocket.
Law: it shares no code with couchvoice, and it is not made slower than it has to be.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from fractions import Fraction

import av
import uvicorn
import websockets
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench import utterance
from tests.bench.hum import Hum

HOST = "127.0.0.1"
BACKLOG = 128


class LoopTrack(MediaStreamTrack):
    """The frames over and over, in real time."""

    kind = "audio"

    def __init__(self, frames: list[utterance.Samples]) -> None:
        super().__init__()
        self._pace = Hum()
        self._frames = frames

    async def recv(self) -> av.AudioFrame:
        await self._pace.next()
        samples = self._frames[self._pace.count // self._frames[0].size % len(self._frames)]
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        rate = utterance.RATE
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), self._pace.count
        return frame


class Answerer:
    """``asgi`` is the application."""

    def __init__(self) -> None:
        self._peers: set[RTCPeerConnection] = set()
        self._clearing: set[asyncio.Task[None]] = set()
        self._sounds = {"silence": utterance.silence(), "question": utterance.question(utterance.RATE)}
        self.asgi = Starlette(routes=[Route("/{sound}", self._answer, methods=["POST"])])

    async def close(self) -> None:
        """End all calls."""
        for peer in list(self._peers):
            await peer.close()
        await asyncio.gather(*self._clearing)

    async def _answer(self, request: Request) -> Response:
        sound = request.path_params["sound"]
        peer, ear = RTCPeerConnection(RTCConfiguration(iceServers=[])), MediaBlackhole()
        self._peers.add(peer)

        @peer.on("datachannel")
        def _echo(channel: RTCDataChannel) -> None:
            channel.on("message", channel.send)

        @peer.on("connectionstatechange")
        def _state_changed() -> None:
            if peer.connectionState in ("closed", "failed") and peer in self._peers:
                self._peers.discard(peer)
                clearing = asyncio.create_task(_clear_up(peer, ear), name="clear-up")
                self._clearing.add(clearing)
                clearing.add_done_callback(self._clearing.discard)

        await peer.setRemoteDescription(RTCSessionDescription((await request.body()).decode(), "offer"))
        track = peer.getReceivers()[0].track
        if sound == "echo":
            peer.addTrack(track)
        else:
            peer.addTrack(LoopTrack(self._sounds[sound]))
            ear.addTrack(track)
            await ear.start()
        await peer.setLocalDescription(await peer.createAnswer())
        return Response(peer.localDescription.sdp, 201, media_type="application/sdp")


async def _clear_up(peer: RTCPeerConnection, ear: MediaBlackhole) -> None:
    await ear.stop()
    await peer.close()


async def _send_back(connection: websockets.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    """Serve until stdin ends."""
    # Named as TCP: else asyncio leaves Nagle's algorithm on (see far_end).
    listeners = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) for _ in range(2)]
    for listener in listeners:
        listener.bind((HOST, 0))
        listener.listen(BACKLOG)
    offers, echo = listeners
    answerer = Answerer()
    server = uvicorn.Server(uvicorn.Config(answerer.asgi, log_level="warning", access_log=False, lifespan="off"))
    async with websockets.serve(_send_back, sock=echo, compression=None), asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve(sockets=[offers]), name="serve")
        print(json.dumps({"offers": _place(offers), "echo": _place(echo)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await answerer.close()
        server.should_exit = True


def _place(listener: socket.socket) -> str:
    return f"{HOST}:{listener.getsockname()[1]}"


if __name__ == "__main__":
    asyncio.run(main())
