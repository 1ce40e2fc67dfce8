"""A VoiceSession between two ends in this process: the minimal backend, and an aiortc peer that says what it is told.

The parts are real but for the sound card. Law: whoever watches (``watched``) only writes down what he sees.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import SessionRequest
from couchvoice.core.notices import Notice
from tests.e2e.minimal_backend import Fault, MinimalBackend, Request
from tests.patience import until
from tests.transports.answering_peer import SECRET, AnsweringPeer, answering_peer

THREAD = "thread_of_the_test"
QUESTION = "What is the weather like?"
ANSWER = "Sunny and mild today."


class Backend(MinimalBackend):
    """The minimal backend as an ASGI application: without a port, and able to hang without a thread."""

    def __init__(self) -> None:
        super().__init__(secret=SECRET)
        self.hanging: set[str] = set()  # endpoints that never answer
        self.app = Starlette(routes=[Route("/{path:path}", self._answer_request, methods=["POST"])])

    async def wait_for(self, endpoint: str, *, times: int = 1) -> None:
        await until(lambda: self.order().count(endpoint) >= times)

    async def _answer_request(self, asked: HttpRequest) -> Response:
        body = json.loads(await asked.body())
        request = Request(asked.method, asked.url.path, dict(asked.headers), body, time.monotonic())
        answer = self.receive(request)
        if request.endpoint in self.hanging:
            await asyncio.Event().wait()
        if isinstance(answer, Fault):
            return Response(answer.body, answer.status, media_type=answer.content_type)
        status, reply = answer
        return JSONResponse(reply, status)


class Microphone(SilentSource):
    """Says nothing, and tells when it was opened and closed. ``fails`` is raised at the opening."""

    def __init__(self, *, fails: Exception | None = None, fails_to_close: Exception | None = None) -> None:
        super().__init__()
        self.story: list[str] = []
        self.closed_at: float | None = None
        self.hangs = False  # at the closing
        self._fails = fails
        self._fails_to_close = fails_to_close

    async def open(self) -> None:
        self.story.append("open")
        if self._fails is not None:
            raise self._fails

    async def read(self) -> AudioFrame:
        self.story.append("read")
        return await super().read()

    async def close(self) -> None:
        self.story.append("close")
        self.closed_at = self.closed_at or time.monotonic()
        if self.hangs:
            await asyncio.Event().wait()
        if self._fails_to_close is not None:
            raise self._fails_to_close


class Loudspeaker(NullSink):
    """As Microphone."""

    def __init__(self, *, fails: Exception | None = None) -> None:
        super().__init__()
        self.story: list[str] = []
        self._fails = fails

    async def open(self, playout: PlayoutBuffer) -> None:
        self.story.append("open")
        if self._fails is not None:
            raise self._fails
        await super().open(playout)

    async def close(self) -> None:
        self.story.append("close")
        await super().close()


@dataclass(slots=True)
class Stage:
    """``notices``, ``statuses`` and ``errors`` grow as the session tells them."""

    backend: Backend
    peer: AnsweringPeer
    microphone: Microphone
    loudspeaker: Loudspeaker
    session: VoiceSession
    notices: list[Notice] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    async def connect(self) -> None:
        """As a server that speaks GA has it: session.created comes at once."""
        connecting = asyncio.create_task(self.session.connect())
        await self.peer.opened.wait()
        self.peer.send("session.created", session={"type": "realtime"})
        await connecting

    def ask(self, question: str = QUESTION, *, item: str = "item_1") -> None:
        """The user says something, and it is understood."""
        say = self.peer.send
        say("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0)
        say("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=500)
        say("input_audio_buffer.committed", item_id=item)
        say("conversation.item.added", item={"id": item, "type": "message", "role": "user"})
        say("conversation.item.input_audio_transcription.completed", item_id=item, transcript=question)

    def begin_answer(self, answer: str = ANSWER, *, response: str = "resp_1") -> None:
        say = self.peer.send
        item = {"id": f"item_of_{response}", "type": "message", "role": "assistant"}
        say("response.created", response={"id": response, "status": "in_progress"})
        say("response.output_item.added", response_id=response, item=item, output_index=0)
        say("output_audio_buffer.started", response_id=response)
        say("response.output_audio_transcript.delta", response_id=response, delta=answer)

    def end_answer(self, *, response: str = "resp_1") -> None:
        self.peer.send("response.done", response={"id": response, "status": "completed", "output": []})
        self.peer.send("output_audio_buffer.stopped", response_id=response)

    def hold_turn(self, number: int = 1) -> None:
        """A question, and its answer heard out."""
        self.ask(item=f"item_{number}")
        self.begin_answer(response=f"resp_{number}")
        self.end_answer(response=f"resp_{number}")

    def call_tools(self, *names: str, response: str = "resp_call") -> None:
        """A response that calls one tool after the other, as ``call_0``, ``call_1`` …"""
        items = [
            {
                "id": f"item_call_{number}",
                "type": "function_call",
                "status": "completed",
                "name": name,
                "call_id": f"call_{number}",
                "arguments": "{}",
            }
            for number, name in enumerate(names)
        ]
        say = self.peer.send
        say("response.created", response={"id": response, "status": "in_progress"})
        for number, item in enumerate(items):
            say("response.output_item.done", response_id=response, item=item, output_index=number)
        say("response.done", response={"id": response, "status": "completed", "output": items})

    def outputs(self) -> dict[str, Any]:
        """What the provider was told of the tools, by call id."""
        items = [event["item"] for event in self.peer.of("conversation.item.create")]
        return {item["call_id"]: json.loads(item["output"]) for item in items if item["type"] == "function_call_output"}

    def of(self, kind: type) -> list[Any]:
        return [notice for notice in self.notices if isinstance(notice, kind)]

    async def told(self, kind: type, *, times: int = 1) -> None:
        """Until the session has told so many notices of a kind."""
        await until(lambda: len(self.of(kind)) >= times)


@asynccontextmanager
async def staged(
    *,
    microphone: Microphone | None = None,
    loudspeaker: Loudspeaker | None = None,
    watched: bool = True,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A session that nobody has connected yet; it is disconnected in the end, whatever was done to it."""
    backend, microphone, loudspeaker = Backend(), microphone or Microphone(), loudspeaker or Loudspeaker()
    async with answering_peer() as peer:
        statuses: list[str] = []
        errors: list[Exception] = []
        endpoints = Endpoints(
            backend_url="http://localhost",
            realtime_url="http://localhost/v1",
            backend_app=backend.app,
            realtime_app=peer.app,
        )
        options = {"on_connection_change": statuses.append, "on_error": errors.append} | options
        session = VoiceSession(
            options.pop("endpoints", endpoints),
            SessionRequest(thread_id=THREAD, memory_mode="persistent"),
            source=microphone,
            sink=loudspeaker,
            **options,
        )
        stage = Stage(backend, peer, microphone, loudspeaker, session, statuses=statuses, errors=errors)
        watching = asyncio.create_task(_watch(stage) if watched else asyncio.sleep(0), name="watch")
        try:
            yield stage
        finally:
            session.abort()
            watching.cancel()
            await asyncio.gather(session.wait_ended(), watching, return_exceptions=True)


@asynccontextmanager
async def talking(**options: Any) -> AsyncIterator[Stage]:
    """A session that is connected."""
    async with staged(**options) as stage:
        await stage.connect()
        yield stage


async def _watch(stage: Stage) -> None:
    async for notice in stage.session:
        stage.notices.append(notice)
