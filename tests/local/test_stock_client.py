"""The openai package, as it is, against the served application."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import openai
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime import RealtimeServerEvent

from couchvoice.audio.frames import base64_from_pcm16, silence
from tests.local.caller import WAIT, Caller, known
from tests.local.serving import listening
from tests.local.socket_caller import PAUSE, RATE, STEP, spoken
from tests.local.wire import WEBSOCKET_LACKS, check_session

KEY = "sk-of-the-test"


@asynccontextmanager
async def stock_client() -> AsyncIterator[AsyncOpenAI]:
    async with (
        listening(api_key=KEY) as place,
        AsyncOpenAI(base_url=f"http://{place}/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield client


async def until_done(connection: AsyncRealtimeConnection) -> list[RealtimeServerEvent]:
    """All events up to the end of a response."""
    events = []
    async with asyncio.timeout(WAIT):
        async for event in connection:
            events.append(event)
            if event.type == "rate_limits.updated":
                break
    check_session([event.to_dict() for event in events], lacks=WEBSOCKET_LACKS)
    return events


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


@pytest.mark.row("A2", "O5")
async def test_the_sdk_calls_with_a_session_of_its_own() -> None:
    async with stock_client() as client:
        caller = Caller()
        answer = await client.realtime.calls.create(
            sdp=await caller.offer(), session={"type": "realtime", "instructions": "be brief"}
        )
        await caller.accept(answer.text)
        assert (await caller.wait_for("session.created"))["session"]["instructions"] == "be brief"
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


@pytest.mark.row("O6")
async def test_the_sdk_holds_a_voice_turn_over_websocket() -> None:
    greeting = known("first-talk")[0]
    async with stock_client() as client, client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(
            session={"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}}
        )
        samples = np.concatenate([spoken(greeting), silence(PAUSE)])
        for start in range(0, samples.size, STEP):
            await connection.input_audio_buffer.append(audio=base64_from_pcm16(samples[start : start + STEP]))
        events = await until_done(connection)
    heard = [e.transcript for e in events if e.type == "conversation.item.input_audio_transcription.completed"]
    assert heard == [greeting.text]
    said = "".join(e.delta for e in events if e.type == "response.output_audio_transcript.delta")
    assert said.startswith("Yes, I can hear you well.")
    sound = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
    assert len(sound) / 2 > RATE
    assert events[0].type == "session.created"
    assert events[0].session.model == "gpt-realtime"


@pytest.mark.row("O6", "E8")
async def test_the_sdk_holds_a_text_turn_over_websocket() -> None:
    async with stock_client() as client, client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Thank you very much."}],
            }
        )
        await connection.response.create()
        events = await until_done(connection)
    assert [e.text for e in events if e.type == "response.output_text.done"] == ["You are welcome."]


@pytest.mark.row("C3", "O6")
async def test_the_sdk_is_told_that_its_key_is_none() -> None:
    async with stock_client() as client:
        stranger = client.with_options(api_key="ek_of_nobody")
        with pytest.raises(Exception, match="401"):
            await stranger.realtime.connect(model="gpt-realtime").enter()
