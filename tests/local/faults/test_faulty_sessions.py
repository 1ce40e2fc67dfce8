"""Faults on purpose, as the client of a session meets them: each is asked for in the query of its connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
import websockets

from tests.local.caller import Caller, known, minted, served
from tests.local.serving import listening
from tests.local.socket_caller import BEARER, RATE, SocketCaller, conversing, joined
from tests.patience import until

pytestmark = pytest.mark.row("O7")

GREETING = known("first-talk")[0]
HEARD = "conversation.item.input_audio_transcription"
TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "any"}}}}


@pytest.fixture
async def place() -> AsyncIterator[str]:
    async with listening() as where:
        yield where


async def held(caller: SocketCaller) -> dict[str, Any]:
    """A greeting and its answer."""
    await caller.send("session.update", session={"type": "realtime", **TRANSCRIBES})
    await caller.say(GREETING)
    return await caller.wait_for("response.done")


async def test_the_words_of_the_user_are_late_and_the_answer_is_not(place: str) -> None:
    async with conversing(place, query="?faults=transcription_delay_ms=500", judged=False) as caller:
        await held(caller)
        assert not caller.of(f"{HEARD}.completed")
        assert (await caller.wait_for(f"{HEARD}.completed"))["transcript"] == GREETING.text


@pytest.mark.parametrize(("fault", "kinds"), [("failed", {"failed"}), ("none", set()), ("empty", {"completed"})])
async def test_the_words_of_the_user_are_not_told(place: str, fault: str, kinds: set[str]) -> None:
    async with conversing(place, query=f"?faults=transcription={fault}") as caller:
        done = await held(caller)
        assert done["response"]["status"] == "completed"
        told = {event["type"].rpartition(".")[2] for event in caller.events if event["type"].startswith(HEARD)}
        assert told == kinds
        assert all(event["transcript"] == "" for event in caller.of(f"{HEARD}.completed"))


@pytest.mark.row("D4")
async def test_there_are_no_deltas_but_those_of_sound(place: str) -> None:
    async with conversing(place, query="?faults=no_deltas", judged=False) as caller:
        await held(caller)
        assert {event["type"] for event in caller.events if event["type"].endswith(".delta")} == {
            "response.output_audio.delta"
        }
        assert caller.of(f"{HEARD}.completed")


@pytest.mark.row("E10")
async def test_the_answer_comes_as_text_though_sound_was_asked_for(place: str) -> None:
    async with conversing(place, query="?faults=text_only") as caller:
        done = await held(caller)
        assert done["response"]["output"][0]["content"][0]["type"] == "output_text"
        assert caller.sound.size == 0


async def test_the_sound_of_the_answer_is_silence(place: str) -> None:
    async with conversing(place, query="?faults=silent") as caller:
        await held(caller)
        assert caller.sound.size > RATE
        assert not np.any(caller.sound)


async def test_events_are_lost_doubled_and_garbled(place: str) -> None:
    query = "?faults=drop=rate_limits.*,duplicate=response.done,malformed_rate=0.3,seed=3"
    async with conversing(place, query=query, judged=False) as caller:
        await held(caller)
        await caller.wait_for("response.done", count=2)
        assert not caller.of("rate_limits.updated")
        assert caller.garbage


async def test_every_event_is_late_and_in_order(place: str) -> None:
    async with conversing(place, query="?faults=delay_ms=100,jitter_ms=50") as caller:
        assert (await held(caller))["response"]["status"] == "completed"


async def test_a_session_is_cut_without_a_goodbye(place: str) -> None:
    async with joined(place, query="?faults=cut_after_ms=100") as connection:
        await connection.wait_closed()
    assert connection.close_code == 1006


@pytest.mark.row("P15")
async def test_a_session_that_has_lasted_long_enough_is_told_so_and_ended(place: str) -> None:
    async with joined(place, query="?faults=session_limit_s=0.3") as connection:
        events = [json.loads(text) async for text in connection]
    assert events[-1]["error"]["code"] == "session_expired"
    assert connection.close_code == 1001


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_a_connection_is_refused(place: str, status: int) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"ws://{place}/v1/realtime?faults=status={status}", additional_headers=BEARER)
    assert refused.value.response.status_code == status
    assert "message" in json.loads(refused.value.response.body)["error"]


# Over WebRTC, and bound to a secret


async def test_a_call_is_cut_without_a_goodbye() -> None:
    async with served() as http:
        caller = await dialled(http, "cut_after_ms=100")
        await caller.wait_for("session.created")
        heard = len(caller.events)
        caller.say(GREETING)
        await until(lambda: caller.microphone.is_silent)
        assert len(caller.events) == heard
        await caller.close()


@pytest.mark.row("P15")
async def test_a_call_that_has_lasted_long_enough_is_told_so_and_ended() -> None:
    async with served() as http:
        caller = await dialled(http, "session_limit_s=0.5")
        await caller.wait_for("error")
        assert caller.events[-1]["error"]["code"] == "session_expired"
        async with asyncio.timeout(5):
            await caller.closed.wait()
        await caller.close()


async def test_what_is_minted_with_faults_has_them() -> None:
    async with served() as http:
        headers = {"X-Couchvoice-Faults": "status=429"}
        secret = (await http.post("/client_secrets", json={}, headers=headers)).json()["value"]
        response = await http.post(
            "/calls", content="v=0", headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/sdp"}
        )
        assert (response.status_code, response.headers["Retry-After"]) == (429, "1")


async def dialled(http: httpx.AsyncClient, faults: str) -> Caller:
    caller = Caller()
    http.headers["X-Couchvoice-Faults"] = faults
    response = await caller.call(http, await minted(http))
    await caller.accept(response.text)
    return caller
