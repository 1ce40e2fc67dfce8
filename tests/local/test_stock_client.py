"""The openai package, as it is, against the served application."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
import uvicorn
from openai import AsyncOpenAI

from couchvoice.local.app import RealtimeApp
from tests.local.caller import Caller, engines
from tests.patience import until

KEY = "sk-of-the-test"


@asynccontextmanager
async def stock_client() -> AsyncIterator[AsyncOpenAI]:
    """uvicorn on a port of its own."""
    app = RealtimeApp(engines(), api_key=KEY)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app.asgi, log_level="warning", lifespan="on"))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        await until(lambda: server.started)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        try:
            async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
                yield client
        finally:
            server.should_exit = True
            await serving


@pytest.mark.row("A2", "C3", "O5")
async def test_the_sdk_mints_a_secret_calls_with_it_and_hangs_up() -> None:
    async with stock_client() as client:
        secret = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": "gpt-realtime", "audio": {"output": {"voice": "cedar"}}},
        )
        assert secret.value.startswith("ek_")
        assert secret.session.type == "realtime"
        caller = Caller()
        holder = client.with_options(api_key=secret.value)
        response = await holder.realtime.calls.with_raw_response.create(sdp=await caller.offer())
        assert response.http_response.status_code == 201
        call_id = response.headers["location"].rpartition("/")[2]
        assert call_id.startswith("rtc_")
        await caller.accept(response.parse().text)
        created = await caller.wait_for("session.created")
        assert created["session"]["audio"]["output"]["voice"] == "cedar"
        await client.realtime.calls.hangup(call_id)
        await asyncio.wait_for(caller.closed.wait(), 5)
        await caller.close()


@pytest.mark.row("C3")
async def test_the_sdk_understands_the_refusals() -> None:
    async with stock_client() as client:
        stranger = client.with_options(api_key="ek_of_nobody")
        with pytest.raises(openai.AuthenticationError) as refused:
            await stranger.realtime.calls.create(sdp="v=0\r\n")
        assert refused.value.code == "invalid_api_key"
        with pytest.raises(openai.BadRequestError) as bad:
            await client.realtime.calls.create(sdp="v=0\r\n")
        assert (bad.value.code, bad.value.param) == ("invalid_offer", "sdp")
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.realtime.calls.hangup("rtc_nobody")
        assert unknown.value.code == "call_not_found"


async def test_a_session_beside_the_offer_is_not_taken_yet() -> None:
    """The SDK then sends multipart, which this server will take together with the WebSocket."""
    async with stock_client() as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.realtime.calls.create(sdp="v=0\r\n", session={"type": "realtime"})
        assert (refused.value.status_code, refused.value.code) == (415, "unsupported_content_type")
