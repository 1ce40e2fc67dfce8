"""The sideband's path: who may join a call; and what else there is at the path of a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import openai
import pytest
import websockets
from openai import AsyncOpenAI

from tests.local.caller import KEY, URL, WAIT, Caller, calling, minted
from tests.local.serving import listening
from tests.local.socket_caller import BEARER


@asynccontextmanager
async def call_on(place: str) -> AsyncIterator[tuple[httpx.AsyncClient, Caller]]:
    """A call over a port, and a client that holds a key."""
    async with (
        httpx.AsyncClient(base_url=URL.replace("localhost", place), headers=BEARER) as http,
        calling(http) as caller,
    ):
        yield http, caller


async def refused_sideband(place: str, call_id: str, headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://{place}/v1/realtime?call_id={call_id}", additional_headers=headers)
    return refused.value.response.status_code, json.loads(refused.value.response.body)["error"]["code"]


@pytest.mark.row("O6")
async def test_the_sdk_joins_a_running_call_and_the_call_outlives_it() -> None:
    async with (
        listening(api_key=KEY, max_sessions=1) as place,
        call_on(place) as (http, caller),
        AsyncOpenAI(base_url=f"http://{place}/v1", api_key=KEY) as client,
    ):
        async with client.realtime.connect(call_id=caller.call_id) as sideband:
            await asyncio.wait_for(sideband.recv(), WAIT)
            await sideband.session.update(session={"type": "realtime", "instructions": "from the side"})
            updated = await caller.wait_for("session.updated")
            assert updated["session"]["instructions"] == "from the side"
            metrics = (await http.get(f"http://{place}/metrics")).text
            assert 'couchvoice_realtime_sessions{transport="sideband"} 1.0' in metrics
            assert (await http.get(f"http://{place}/health")).json()["sessions"] == 1
        caller.send("session.update", session={"type": "realtime", "instructions": "from the client"})
        await caller.wait_for("session.updated", count=2)


@pytest.mark.row("O6")
async def test_a_sideband_ends_with_its_call() -> None:
    async with (
        listening() as place,
        call_on(place) as (http, caller),
        websockets.connect(f"ws://{place}/v1/realtime?call_id={caller.call_id}", additional_headers=BEARER) as sideband,
    ):
        await sideband.recv()
        await http.post(f"/calls/{caller.call_id}/hangup")
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(_drain(sideband), WAIT)


async def _drain(connection: websockets.ClientConnection) -> None:
    while True:
        await connection.recv()


@pytest.mark.row("C3")
async def test_a_client_secret_is_not_enough_to_join() -> None:
    async with listening(api_key=KEY) as place, call_on(place) as (http, caller):
        secret = await minted(http)
        for bearer in (secret, "wrong", ""):
            headers = {"Authorization": f"Bearer {bearer}"}
            assert await refused_sideband(place, caller.call_id, headers) == (401, "invalid_api_key")


@pytest.mark.parametrize("call_id", ["rtc_nobody", "", "sess_1", "%00"])
async def test_a_call_that_is_not_there_cannot_be_joined(call_id: str) -> None:
    async with listening() as place:
        assert await refused_sideband(place, call_id, BEARER) == (404, "call_not_found")


async def test_a_call_can_be_deleted_as_other_servers_have_it() -> None:
    async with listening() as place, call_on(place) as (http, caller):
        assert (await http.delete(f"/calls/{caller.call_id}", headers={"Authorization": ""})).status_code == 401
        assert (await http.delete(f"/calls/{caller.call_id}")).status_code == 200
        await asyncio.wait_for(caller.closed.wait(), 5)


async def test_what_is_for_the_telephone_is_refused_with_a_sentence() -> None:
    async with (
        listening() as place,
        call_on(place) as (_, caller),
        AsyncOpenAI(base_url=f"http://{place}/v1", api_key=KEY, max_retries=0) as client,
    ):
        calls = client.realtime.calls
        for asking in (
            calls.accept(caller.call_id, type="realtime"),
            calls.refer(caller.call_id, target_uri="tel:+1"),
            calls.reject(caller.call_id),
        ):
            with pytest.raises(openai.BadRequestError, match="for SIP"):
                await asking
        with pytest.raises(openai.NotFoundError):
            await calls.reject("rtc_nobody")
