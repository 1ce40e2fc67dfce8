"""The far end of ``couchvoice talk`` on a stack that is not ours: its calls endpoint, and one turn that it holds.

Law: it answers no offer without the secret, and every event that it sends is one that OpenAI's own types accept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.apps.serving import serving
from tests.audio.tones import pcm16, tone
from tests.e2e.foreign_peer import ForeignPeer
from tests.e2e.scenario import SECRET, Say, Scenario, Step, validate

QUESTION = "What is the weather like?"
ANSWER = Say("Sunny and mild today.", audio_ms=1500)
ANSWER_PITCH = 440.0  # Hz

_SPEECH_MS = 200  # of sound: no click is as long, and the client's utterance is


@asynccontextmanager
async def answering(peer: ForeignPeer) -> AsyncIterator[str]:
    """The base URL of an endpoint whose first call is this peer's."""

    async def create(request: Request) -> Response:
        assert request.headers["content-type"] == "application/sdp"
        if request.headers["authorization"] != f"Bearer {SECRET}":
            return Response(status_code=401)
        answer = await peer.answer((await request.body()).decode())
        location = {"Location": f"{request.url.path}/rtc_foreign"}
        return Response(answer, 201, location, media_type="application/sdp")

    async with serving(Starlette(routes=[Route("/v1/realtime/calls", create, methods=["POST"])])) as url:
        yield f"{url}/v1"


async def hold_one_turn(peer: ForeignPeer, *, binary: bool) -> None:
    """From the open channel to the end of the answer. ``binary``: how the events go."""
    scenario = Scenario()
    await peer.until(lambda: peer.saw("channel", state="open"))
    await _play(peer, [scenario.session_created()], binary=binary)
    await peer.until(lambda: peer.ear.loud_ms >= _SPEECH_MS)
    heard = [scenario.speech_started(1), *scenario.speech_committed(1), *scenario.transcript(1, QUESTION)]
    await _play(peer, [*heard, *scenario.response("1", ANSWER)], binary=binary)


async def _play(peer: ForeignPeer, steps: Iterable[Step], *, binary: bool) -> None:
    for step in steps:
        match step:
            case {"send": event}:
                validate(event)
                peer.send(event, binary=binary)
            case {"audio_ms": ms}:
                peer.say(pcm16(tone(ms / 1000, hertz=ANSWER_PITCH)))
            case {"wait_ms": _}:  # for the answer's sound: the peer tells when it is sent
                await peer.until(lambda: peer.saw("said"))
            case _:
                raise ValueError(step)
