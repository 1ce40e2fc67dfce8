"""The paths and names of OpenAI's beta and of Azure: served where the owner says so, refused as OpenAI does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest
import websockets
from openai import AsyncAzureOpenAI, AsyncOpenAI
from openai.types.beta.realtime import TranscriptionSession
from pydantic import TypeAdapter

from tests.local.caller import KEY, SDP, WAIT, Caller, served
from tests.local.serving import listening
from tests.local.socket_caller import BEARER
from tests.local.wire import Event

VERSION = "2025-04-01-preview"
DISABLED = "beta_api_shape_disabled"
BETA = {"OpenAI-Beta": "realtime=v1"}
TEXT = {"modalities": ["text"], "instructions": "be brief"}
THANKS = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thank you very much."}]}


@asynccontextmanager
async def connected(
    url: str, headers: Mapping[str, str] = BEARER, subprotocols: tuple[str, ...] = ()
) -> AsyncIterator[websockets.ClientConnection]:
    names = [websockets.Subprotocol(name) for name in subprotocols] or None
    async with websockets.connect(url, additional_headers=headers, subprotocols=names) as connection:
        yield connection


async def answered_in_beta(connection: websockets.ClientConnection) -> list[Event]:
    """Ask as beta clients do; all events up to the end of the answer."""
    for event in (
        {"type": "session.update", "session": TEXT},
        {"type": "conversation.item.create", "item": THANKS},
        {"type": "response.create", "response": {"modalities": ["text"]}},
    ):
        await connection.send(json.dumps(event))
    events: list[Event] = []
    async with asyncio.timeout(WAIT):
        while not events or events[-1]["type"] != "response.done":
            events.append(json.loads(await connection.recv()))
    return events


def check_beta(events: list[Event]) -> None:
    kinds = [event["type"] for event in events]
    assert kinds[0] == "session.created"
    assert "error" not in kinds, events
    assert {"conversation.item.created", "response.text.delta", "response.text.done"} <= set(kinds)
    assert not {"conversation.item.added", "conversation.item.done", "response.output_text.delta"} & set(kinds)
    updated = next(event["session"] for event in events if event["type"] == "session.updated")
    assert (updated["modalities"], updated["instructions"]) == (["text"], "be brief")
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "text", "text": "You are welcome."}]


# Where the owner says so


@pytest.mark.row("O6")
@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        (BEARER | BETA, ()),
        ({}, ("realtime", f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1")),
        (BEARER, ("openai-beta.realtime-v1",)),
    ],
    ids=["header", "browser", "subprotocol"],
)
async def test_who_asks_for_beta_is_spoken_to_in_beta(
    headers: Mapping[str, str], subprotocols: tuple[str, ...]
) -> None:
    async with (
        listening(beta=True) as place,
        connected(f"ws://{place}/v1/realtime?model=m", headers, subprotocols) as connection,
    ):
        check_beta(await answered_in_beta(connection))
        assert connection.subprotocol == (subprotocols[0] if subprotocols else None)


@pytest.mark.row("O6")
async def test_who_does_not_ask_for_beta_is_spoken_to_in_ga() -> None:
    async with listening(beta=True) as place, connected(f"ws://{place}/v1/realtime?model=m") as connection:
        assert json.loads(await connection.recv())["session"]["type"] == "realtime"


@pytest.mark.row("O6")
@pytest.mark.parametrize("path", ["/v1/realtime/sessions", f"/openai/realtimeapi/sessions?api-version={VERSION}"])
async def test_beta_hands_out_a_session_that_holds_its_secret(path: str) -> None:
    async with served(beta=True) as http:
        body = {"model": "mine", "voice": "ash", **TEXT}
        response = await http.post(f"http://localhost{path}", json=body)
        assert response.status_code == 200, response.text
        shown = response.json()
        assert (shown["model"], shown["voice"], shown["modalities"]) == ("mine", "ash", ["text"])
        assert shown["client_secret"]["expires_at"] > 0
        secret = {"Authorization": f"Bearer {shown['client_secret']['value']}"}
        caller = Caller()
        called = await http.post("/calls", content=await caller.offer(), headers=SDP | secret)
        await caller.accept(called.text)
        assert (await caller.wait_for("session.created"))["session"]["instructions"] == "be brief"
        await caller.close()


@pytest.mark.row("O6")
async def test_beta_hands_out_a_transcription_session_that_holds_its_secret() -> None:
    async with served(beta=True) as http:
        body = {
            "modalities": ["text"],
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1", "language": "de"},
            "turn_detection": None,
        }
        response = await http.post("/transcription_sessions", json=body)
        assert response.status_code == 200, response.text
        shown = response.json()
        TypeAdapter(TranscriptionSession).validate_python(shown, strict=True)
        assert shown["input_audio_format"] == "g711_ulaw"
        assert shown["input_audio_transcription"]["language"] == "de"
        secret = {"Authorization": f"Bearer {shown['client_secret']['value']}"}
        caller = Caller()
        called = await http.post("/calls", content=await caller.offer(), headers=SDP | secret)
        await caller.accept(called.text)
        assert (await caller.wait_for("session.created"))["session"]["type"] == "transcription"
        await caller.close()


@pytest.mark.row("O6")
@pytest.mark.parametrize("path", ["/v1/realtime?model=mine", "/v1/realtimertc?model=mine"])
async def test_beta_takes_an_offer_at_a_path_of_its_own_and_speaks_beta(path: str) -> None:
    async with served(beta=True) as http:
        caller = Caller()
        called = await http.post(f"http://localhost{path}", content=await caller.offer(), headers=SDP)
        assert called.status_code == 201, called.text
        await caller.accept(called.text)
        session = (await caller.wait_for("session.created"))["session"]
        assert (session["model"], session["modalities"]) == ("mine", ["audio", "text"])
        place = called.headers["Location"]
        assert place.startswith("/v1/realtime/calls/rtc_")
        assert (await http.delete(f"http://localhost{place}")).status_code == 200
        await asyncio.wait_for(caller.closed.wait(), 5)
        await caller.close()


# Where the owner does not


@pytest.mark.row("O6")
@pytest.mark.parametrize(
    "path",
    [
        "/v1/realtime/sessions",
        "/v1/realtime/transcription_sessions",
        "/v1/realtime?model=m",
        "/v1/realtimertc",
        "/openai/realtimeapi/sessions",
    ],
)
async def test_a_request_in_beta_shape_is_refused(path: str) -> None:
    async with served() as http:
        refused = await http.post(f"http://localhost{path}", content="v=0", headers=SDP)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == DISABLED


@pytest.mark.row("O6")
@pytest.mark.parametrize(
    ("path", "headers"),
    [("/v1/realtime", BETA), (f"/openai/realtime?api-version={VERSION}&deployment=d", {})],
)
async def test_a_websocket_in_beta_shape_is_told_why_and_closed(path: str, headers: dict[str, str]) -> None:
    async with listening() as place:
        async with connected(f"ws://{place}{path}", BEARER | headers) as connection:
            assert json.loads(await connection.recv())["error"]["code"] == DISABLED
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await connection.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, f"invalid_request_error.{DISABLED}")
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://{place}/health")).json()["sessions"] == 0


# Azure


@pytest.mark.row("O6")
async def test_the_azure_client_of_the_sdk_talks_over_the_preview_path() -> None:
    async with (
        listening(beta=True, api_key=KEY) as place,
        AsyncAzureOpenAI(
            azure_endpoint=f"http://{place}",
            websocket_base_url=f"ws://{place}/openai",
            api_version=VERSION,
            api_key=KEY,
        ) as client,
        client.realtime.connect(model="my-deployment") as connection,
    ):
        created: Any = await asyncio.wait_for(connection.recv(), WAIT)
        assert (created.type, created.session.model) == ("session.created", "my-deployment")


@pytest.mark.row("O6")
async def test_the_openai_client_of_the_sdk_talks_over_azures_ga_path() -> None:
    async with (
        listening(api_key=KEY) as place,
        AsyncOpenAI(base_url=f"http://{place}/openai/v1", api_key=KEY, max_retries=0) as client,
    ):
        async with client.realtime.connect(model="my-deployment") as connection:
            created: Any = await asyncio.wait_for(connection.recv(), WAIT)
            assert created.session.model == "my-deployment"
        assert (await client.realtime.client_secrets.create()).value.startswith("ek_")
        with pytest.raises(openai.NotFoundError):
            await client.realtime.calls.hangup("rtc_nobody")


@pytest.mark.row("O6")
async def test_an_intent_to_transcribe_opens_a_transcription_session() -> None:
    async with listening() as place:
        for query in ("?intent=transcription", "?intent=transcription&model=m"):
            async with connected(f"ws://{place}/v1/realtime{query}") as connection:
                assert json.loads(await connection.recv())["session"]["type"] == "transcription"
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://{place}/v1/realtime?intent=dance", additional_headers=BEARER)
    error = json.loads(refused.value.response.body)["error"]
    assert (error["code"], error["param"]) == ("invalid_value", "session.type")
