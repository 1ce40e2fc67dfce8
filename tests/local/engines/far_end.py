"""An OpenAI-compatible server of our own, on loopback: hears, answers and speaks what the test tells it.

Not a model. Law: it answers only what such a server would take, and keeps what it was asked.
"""

from __future__ import annotations

import asyncio
import io
import json
import socket
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from couchvoice.local.engine_options import Endpoint
from couchvoice.local.http.multipart import read_form
from couchvoice.private import Private
from tests.patience import until

KEY = "sk-far-end"
MODEL = "some-model"
HUGE = 64  # MiB, of an answer
RATE = 22_050  # Hz, of its voice: none of ours

Json = dict[str, Any]
Answer = Callable[[Request], Awaitable[Response]]


@dataclass
class FarEnd:
    """``deltas`` of the chat are streamed one by one; ``instead`` answers in place of what is asked.

    Where ``hold`` is set, a stream waits after its first delta until it is released.
    """

    url: str = ""
    heard: str = "What is the weather in Cork?"
    deltas: Sequence[Json] = ({"content": "It is raining."},)
    instead: Answer | None = None
    hold: asyncio.Event | None = None
    asked: list[Json] = field(default_factory=list)
    sound: bytes = b""  # that was sent to be heard
    authorizations: set[str] = field(default_factory=set)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(url=self.url, model=MODEL, key=Private(KEY))

    async def transcribe(self, request: Request) -> Response:
        form = read_form(request.headers["content-type"], await request.body())
        self.sound = form.pop("file")
        self._keep(request, {name: value.decode() for name, value in form.items()})
        return await self.instead(request) if self.instead else JSONResponse({"text": self.heard})

    async def complete(self, request: Request) -> Response:
        self._keep(request, json.loads(await request.body()))
        if self.instead:
            return await self.instead(request)
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def speak(self, request: Request) -> Response:
        order = json.loads(await request.body())
        self._keep(request, order)
        if self.instead:
            return await self.instead(request)
        return Response(wav(tone(0.05 * len(order["input"]) / order["speed"])), media_type="audio/wav")

    async def _stream(self) -> AsyncIterator[str]:
        yield ": a comment\n\n"
        for delta in self.deltas:
            yield event({"choices": [{"index": 0, "delta": delta}]})
            if self.hold:
                await self.hold.wait()
        yield event({"choices": [], "usage": {"total_tokens": 3}})
        yield "data: [DONE]\n\n"

    def _keep(self, request: Request, asked: Json) -> None:
        self.authorizations.add(request.headers.get("authorization", ""))
        self.asked.append(asked)


@asynccontextmanager
async def far_end() -> AsyncIterator[FarEnd]:
    end = FarEnd()
    routes = [
        Route("/v1/audio/transcriptions", end.transcribe, methods=["POST"]),
        Route("/v1/chat/completions", end.complete, methods=["POST"]),
        Route("/v1/audio/speech", end.speak, methods=["POST"]),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        end.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="far-end")
        await until(lambda: server.started)
        try:
            yield end
        finally:
            server.should_exit = True
            await serving


def event(payload: Json) -> str:
    return f"data: {json.dumps(payload)}\n\n"


def tone(seconds: float) -> NDArray[np.int16]:
    time = np.arange(int(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)


def wav(samples: NDArray[np.int16], *, rate: int = RATE, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(2)
        opened.setframerate(rate)
        opened.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


# What may come in place of an answer.


async def refusing(_: Request) -> Response:
    return JSONResponse({"error": {"message": "secret words"}}, status_code=429)


async def breaking(_: Request) -> Response:
    raise RuntimeError


async def redirecting(_: Request) -> Response:
    return Response(status_code=307, headers={"Location": "http://127.0.0.1:1/"})


async def babbling(_: Request) -> Response:
    return Response(b"<html>secret words</html>", media_type="text/html")


async def silent(request: Request) -> Response:
    """Until the client gives up."""
    while not await request.is_disconnected():  # noqa: ASYNC110  # there is no event to wait for
        await asyncio.sleep(0.01)
    return Response()


async def huge(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(HUGE):
            yield b"x" * 1024 * 1024

    return StreamingResponse(body(), media_type="application/json")


async def broken_off(_: Request) -> Response:
    """Promises more than it sends."""

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        raise RuntimeError

    return StreamingResponse(body(), media_type="application/json")


NEVER = "never answers"
FAILURES: dict[str, tuple[Answer, str]] = {
    "refuses": (refusing, "it answered 429"),
    "breaks": (breaking, "it answered 500"),
    "redirects": (redirecting, "it answered 307"),
    NEVER: (silent, "no answer in time"),
    "answers at length": (huge, "its answer is larger than"),
    "breaks off": (broken_off, "the connection broke"),
    "answers nonsense": (babbling, "its (answer|sound) is"),
}
