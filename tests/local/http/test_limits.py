"""How much the server takes on: sessions, secrets, bodies; and how it stops taking any."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import websockets
from starlette.types import Message

from couchvoice.local.http import request_body, secret_book
from couchvoice.local.http.app import RealtimeApp
from couchvoice.local.server_options import ServerOptions
from tests.local.caller import KEY, SDP, URL, WAIT, Caller, calling, engines, minted, served
from tests.local.serving import listening
from tests.local.socket_caller import BEARER, conversing
from tests.patience import until

SHORT = 0.05  # seconds


def error_code(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    return str(response.json()["error"]["code"])


async def posted_offer(http: httpx.AsyncClient, bearer: str = KEY) -> httpx.Response:
    """Nobody takes its answer."""
    caller = Caller()
    try:
        headers = SDP | {"Authorization": f"Bearer {bearer}"}
        return await http.post("/calls", content=await caller.offer(), headers=headers)
    finally:
        await caller.close()


# Sessions


@pytest.mark.row("O5")
async def test_a_call_too_many_is_refused_until_another_one_ends() -> None:
    async with served(max_sessions=1) as http:
        async with calling(http) as caller:
            refused = await posted_offer(http)
            assert error_code(refused, 503) == "session_limit_reached"
            assert refused.json()["error"]["type"] == "server_error"
            assert int(refused.headers["Retry-After"]) > 0
            await http.post(f"/calls/{caller.call_id}/hangup")
            await asyncio.wait_for(caller.closed.wait(), 5)
        async with calling(http):
            pass


@pytest.mark.row("O6")
async def test_calls_and_websockets_share_the_places() -> None:
    async with listening(max_sessions=1) as place, httpx.AsyncClient(base_url=f"http://{place}") as http:
        async with conversing(place):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(f"ws://{place}/v1/realtime", additional_headers=BEARER)
            assert refused.value.response.status_code == 503
            assert json.loads(refused.value.response.body)["error"]["code"] == "session_limit_reached"
            assert "Retry-After" in refused.value.response.headers
            caller = Caller()
            full = await http.post("/v1/realtime/calls", content=await caller.offer(), headers=SDP | BEARER)
            await caller.close()
            assert error_code(full, 503) == "session_limit_reached"

        async def sessions() -> int:
            return int((await http.get("/health")).json()["sessions"])

        while await sessions():
            pass
        async with conversing(place):
            assert await sessions() == 1


async def test_a_call_that_nobody_opens_gives_its_place_back() -> None:
    async with served(max_sessions=1, connect_timeout=SHORT) as http:
        assert (await posted_offer(http)).status_code == 201
        await until(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("rtc_")])
        assert (await posted_offer(http)).status_code == 201


@pytest.mark.parametrize("body", [b"", b"v=0\r\n"])
async def test_an_offer_that_is_none_takes_no_place(body: bytes) -> None:
    async with served(max_sessions=1) as http:
        for _ in range(3):
            assert error_code(await http.post("/calls", content=body, headers=SDP), 400) == "invalid_offer"
        assert (await http.get("http://localhost/health")).json()["sessions"] == 0


async def test_a_session_that_cannot_be_takes_no_place() -> None:
    async with served(max_sessions=1) as http:
        files = {"sdp": (None, "v=0"), "session": (None, '{"voice": "ash"}')}
        for _ in range(2):
            assert error_code(await http.post("/calls", files=files), 400) == "unknown_parameter"


# Secrets


@pytest.mark.row("C3")
async def test_a_single_use_secret_opens_one_call_and_still_hangs_it_up() -> None:
    async with served(single_use_secrets=True) as http:
        secret = await minted(http)
        first = await posted_offer(http, secret)
        assert first.status_code == 201
        assert error_code(await posted_offer(http, secret), 401) == "invalid_api_key"
        place = f"http://localhost{first.headers['Location']}/hangup"
        assert (await http.post(place, headers={"Authorization": f"Bearer {secret}"})).status_code == 200
        assert (await posted_offer(http, await minted(http))).status_code == 201


@pytest.mark.row("C3")
async def test_a_single_use_secret_opens_one_call_however_many_come_at_once() -> None:
    async with served(single_use_secrets=True) as http:
        secret = await minted(http)
        answers = await asyncio.gather(*(posted_offer(http, secret) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 401, 401, 401, 401]


@pytest.mark.row("C3")
async def test_an_offer_that_failed_leaves_a_single_use_secret_as_it_was() -> None:
    async with served(single_use_secrets=True) as http:
        secret = await minted(http)
        headers = SDP | {"Authorization": f"Bearer {secret}"}
        for _ in range(2):
            assert error_code(await http.post("/calls", content=b"v=0", headers=headers), 400) == "invalid_offer"
        assert (await posted_offer(http, secret)).status_code == 201
        assert error_code(await http.post("/calls", content=b"v=0", headers=headers), 401) == "invalid_api_key"
        assert error_code(await posted_offer(http, secret), 401) == "invalid_api_key"


@pytest.mark.row("C3")
async def test_a_client_that_left_before_its_websocket_opened_keeps_its_place_and_its_secret_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = RealtimeApp(engines(), ServerOptions(single_use_secrets=True, max_sessions=1)).asgi
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL, headers=BEARER) as http,
    ):
        secret = await minted(http)
        scope = {
            "type": "websocket",
            "path": "/v1/realtime",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {secret}".encode())],
            "subprotocols": [],
        }

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def gone(_: Message) -> None:
            raise ConnectionResetError  # ASGI has it that a server raises some OSError

        with pytest.raises(ConnectionResetError):
            await asyncio.create_task(app(scope, receive, gone), name="websocket")
        assert (await posted_offer(http, secret)).status_code == 201
    assert "failed" not in caplog.text


@pytest.mark.row("C3")
async def test_a_single_use_secret_opens_one_websocket() -> None:
    async with listening(single_use_secrets=True) as place, httpx.AsyncClient() as http:
        reply = await http.post(f"http://{place}/v1/realtime/client_secrets", headers=BEARER)
        headers = {"Authorization": f"Bearer {reply.json()['value']}"}
        async with conversing(place, headers=headers):
            pass
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://{place}/v1/realtime", additional_headers=headers)
    assert refused.value.response.status_code == 401


async def test_there_are_only_so_many_secrets_until_one_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_book, "MAX_LIVE", 2)
    now = 1000.0
    async with served(clock=lambda: now) as http:
        await minted(http)
        await minted(http)
        refused = await http.post("/client_secrets")
        assert error_code(refused, 429) == "rate_limit_exceeded"
        assert refused.headers["Retry-After"] == "600"
        now += 600
        await minted(http)


# Bodies


@pytest.mark.parametrize("path", ["/client_secrets", "/calls"])
async def test_a_body_that_never_ends_is_given_up(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_TIMEOUT", SHORT)

    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with served() as http:
        assert error_code(await http.post(path, content=trickle(), headers=SDP), 408) == "request_timeout"


@pytest.mark.parametrize("path", ["/client_secrets", "/calls"])
async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure(path: str) -> None:
    sent: list[Message] = []
    received: list[Message] = [
        {"type": "http.request", "body": b"v", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return received.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(name.lower().encode(), value.encode()) for name, value in (SDP | BEARER).items()]
    scope = {"type": "http", "method": "POST", "path": f"/v1/realtime{path}", "query_string": b"", "headers": headers}
    await RealtimeApp(engines()).asgi(scope, receive, send)
    assert json.loads(sent[-1]["body"])["error"]["code"] == "client_disconnected"


# The end


@pytest.mark.parametrize("query", ["", "?faults=answer_delay_ms=60000"])
async def test_a_request_that_waits_is_refused_when_the_server_ends(query: str) -> None:
    app = RealtimeApp(engines())
    waits = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b"v"
        waits.set()
        await asyncio.Event().wait()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=URL, headers=BEARER) as http:
        posting = asyncio.create_task(http.post(f"/calls{query}", content=half(), headers=SDP), name="posting")
        if not query:  # the delay comes before the body
            await waits.wait()
        await app.end()
        assert error_code(await asyncio.wait_for(posting, WAIT), 503) == "shutting_down"


async def test_a_server_that_ends_hangs_up_and_lets_nobody_in() -> None:
    app = RealtimeApp(engines(), ServerOptions())
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        app.asgi.router.lifespan_context(app.asgi),
        httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url=URL, headers=headers) as http,
        calling(http) as caller,
    ):
        await app.end()
        await asyncio.wait_for(caller.closed.wait(), 5)
        assert error_code(await posted_offer(http), 503) == "shutting_down"
        health = await http.get("http://localhost/health")
        assert (health.status_code, health.json()["status"]) == (503, "shutting_down")
        await app.end()
