"""Requests that fail on purpose: by query, by header, by what a secret was minted with, by a script."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
import websockets

from couchvoice.errors import ConfigError
from couchvoice.local.faults.faults import HEADER
from tests.local.caller import KEY, SDP, Caller, calling, served
from tests.local.serving import listening
from tests.local.socket_caller import BEARER, conversing

LATE = 150  # ms


async def posted_offer(
    http: httpx.AsyncClient, *, query: str = "", faults: str = "", bearer: str = KEY
) -> httpx.Response:
    caller = Caller()
    try:
        headers = SDP | {"Authorization": f"Bearer {bearer}"} | ({HEADER: faults} if faults else {})
        return await http.post(f"/calls{query}", content=await caller.offer(), headers=headers)
    finally:
        await caller.close()


async def minted_with(http: httpx.AsyncClient, faults: str) -> str:
    response = await http.post("/client_secrets", headers={HEADER: faults})
    assert response.status_code == 200, response.text
    return str(response.json()["value"])


@pytest.mark.row("O7")
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "invalid_api_key"),
        (403, "permission_denied"),
        (404, "model_not_found"),
        (429, "rate_limit_exceeded"),
        (500, "server_error"),
        (503, "service_unavailable"),
    ],
)
async def test_a_call_is_refused_as_was_asked(status: int, code: str) -> None:
    async with served() as http:
        refused = await posted_offer(http, query=f"?faults=status={status}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
        assert ("Retry-After" in refused.headers) == (status == 429)
        assert (await posted_offer(http)).status_code == 201


@pytest.mark.row("O7")
async def test_a_websocket_is_refused_as_was_asked() -> None:
    async with listening() as place:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"ws://{place}/v1/realtime?faults=status%3D429", additional_headers=BEARER)
        assert refused.value.response.status_code == 429
        assert json.loads(refused.value.response.body)["error"]["code"] == "rate_limit_exceeded"
        assert refused.value.response.headers["Retry-After"] == "1"


@pytest.mark.row("O7")
async def test_an_answer_is_as_late_as_was_asked() -> None:
    loop = asyncio.get_running_loop()
    async with served() as http:
        since = loop.time()
        assert (await posted_offer(http, query=f"?faults=answer_delay_ms={LATE}")).status_code == 201
        assert loop.time() - since >= LATE / 1000


@pytest.mark.row("O7")
async def test_the_query_stands_over_the_header_the_header_over_the_secret_and_that_over_the_script(
    tmp_path: Path,
) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("calls: [{status: 500}]\nthen: repeat\n", encoding="utf-8")
    async with served(faults=script) as http:
        secret = await minted_with(http, "status=404")
        assert (await posted_offer(http)).status_code == 500
        assert (await posted_offer(http, bearer=secret)).status_code == 404
        assert (await posted_offer(http, bearer=secret, faults="status=429")).status_code == 429
        query = "?faults=status=403"
        assert (await posted_offer(http, bearer=secret, faults="status=429", query=query)).status_code == 403


@pytest.mark.row("O7")
async def test_faults_of_a_secret_hold_for_each_of_its_calls() -> None:
    async with served() as http:
        secret = await minted_with(http, "status=503")
        assert [(await posted_offer(http, bearer=secret)).status_code for _ in range(2)] == [503, 503]


@pytest.mark.row("O7")
async def test_a_script_says_which_call_goes_wrong(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("calls: [{status: 401}, {}, {status: 500}]\n", encoding="utf-8")
    async with served(faults=script) as http:
        assert [(await posted_offer(http)).status_code for _ in range(4)] == [401, 201, 500, 201]


@pytest.mark.row("O7")
async def test_faults_reach_the_events_of_a_call() -> None:
    async with served() as http:
        secret = await minted_with(http, "text_only")
        async with calling(http, bearer=secret) as caller:
            caller.send("conversation.item.create", item=HELLO)
            caller.send("response.create")
            done = await caller.wait_for("response.done")
            assert done["response"]["output"][0]["content"][0]["type"] == "output_text"


@pytest.mark.row("O7")
async def test_faults_reach_the_events_of_a_websocket() -> None:
    async with listening() as place, conversing(place, query="?faults=text_only") as caller:
        await caller.send("conversation.item.create", item=HELLO)
        await caller.send("response.create")
        done = await caller.wait_for("response.done")
    assert done["response"]["output"][0]["content"][0]["type"] == "output_text"


HELLO = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thank you very much."}]}


@pytest.mark.parametrize("path", ["/calls", "/client_secrets"])
@pytest.mark.parametrize("faults", ["nonsense", "status=418", "delay_ms=x", "status"])
async def test_faults_that_do_not_exist_are_refused(path: str, faults: str) -> None:
    async with served() as http:
        refused = await http.post(path, params={"faults": faults}, headers=SDP)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "faults"


async def test_a_session_lasts_as_long_as_its_faults_and_its_server_let_it() -> None:
    async with served(session_limit=900.0, clock=lambda: 1000.0) as http:
        for query, limit in (("", 900), ("?faults=session_limit_s=60", 60), ("?faults=session_limit_s=3600", 900)):
            caller = Caller()
            response = await http.post(f"/calls{query}", content=await caller.offer(), headers=SDP)
            await caller.accept(response.text)
            assert (await caller.wait_for("session.created"))["session"]["expires_at"] == 1000 + limit
            await caller.close()


async def test_a_script_with_a_mistake_is_refused_before_the_server_is_there(tmp_path: Path) -> None:
    script = tmp_path / "faults.yaml"
    script.write_text("calls: [{status: 418}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"faults\.yaml.*line 1"):
        async with served(faults=script):
            raise AssertionError("it must not start")
