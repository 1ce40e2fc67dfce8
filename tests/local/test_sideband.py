"""A second connection to a call, over WebSocket: who joins sees what the client sees, and may speak for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest
import websockets

from tests.local.caller import Caller, calling, known
from tests.local.serving import listening
from tests.local.socket_caller import BEARER, SocketCaller, conversing
from tests.local.wire import WEBRTC_LACKS
from tests.patience import until

GREETING = known("first-talk")[0]


@pytest.fixture
async def place() -> AsyncIterator[str]:
    async with listening() as where:
        yield where


@asynccontextmanager
async def calling_at(place: str) -> AsyncIterator[Caller]:
    async with (
        httpx.AsyncClient(base_url=f"http://{place}/v1/realtime", headers=BEARER) as http,
        calling(http) as caller,
    ):
        yield caller


def joining(place: str, call_id: str) -> AbstractAsyncContextManager[SocketCaller]:
    return conversing(place, query=f"?call_id={call_id}", lacks=WEBRTC_LACKS)


@pytest.mark.row("O5", "O6")
async def test_who_joins_sees_the_talk_and_may_take_part(place: str) -> None:
    async with calling_at(place) as caller, joining(place, caller.call_id) as backend:
        caller.say(GREETING)
        done = await backend.wait_for("response.done")
        assert done == await caller.wait_for("response.done")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thank you very much."}]}
        await backend.send("conversation.item.create", item=item)
        await backend.send("response.create")
        done = await caller.wait_for("response.done", count=2)
        assert done["response"]["output"][0]["content"][0]["transcript"] == "You are welcome."


async def test_sound_comes_from_the_client_only(place: str) -> None:
    async with calling_at(place) as caller, joining(place, caller.call_id) as backend:
        await backend.send("input_audio_buffer.append", audio="AAAA", event_id="mine")
        error = (await backend.wait_for("error"))["error"]
        assert (error["code"], error["event_id"]) == ("invalid_event_for_transport", "mine")


async def test_the_call_goes_on_when_the_sideband_ends(place: str) -> None:
    async with calling_at(place) as caller:
        async with joining(place, caller.call_id) as backend:
            await backend.send("session.update", session={"type": "realtime", "instructions": "a"})
            await backend.wait_for("session.updated")
        caller.send("session.update", session={"type": "realtime", "instructions": "b"})
        await caller.wait_for("session.updated", count=2)


async def test_the_sideband_ends_with_the_call(place: str) -> None:
    async with calling_at(place) as caller, joining(place, caller.call_id) as backend:
        await caller.close()
        await backend.connection.wait_closed()
        assert backend.connection.close_code == 1001


async def test_there_is_no_sideband_without_a_call(place: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://{place}/v1/realtime?call_id=rtc_nobody", additional_headers=BEARER)
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body)["error"]["code"] == "call_not_found"


async def test_the_client_learns_nothing_of_the_sideband_but_what_it_does(place: str) -> None:
    async with calling_at(place) as caller, joining(place, caller.call_id) as backend:
        await backend.send("session.update", session={"type": "realtime"})
        await backend.wait_for("session.updated")
        await until(lambda: len(caller.of("session.updated")) == 1)
        assert len(caller.of("session.created")) == len(backend.of("session.created")) == 1
