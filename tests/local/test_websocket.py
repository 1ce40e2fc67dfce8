"""Sessions over WebSocket on loopback: what is appended, heard and answered, who may come, and how sessions end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
import websockets
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame, base64_from_pcm16, silence
from couchvoice.local.engines.recordings import Recording
from couchvoice.local.protocol import g711
from tests.leftovers import nothing_left
from tests.local.caller import engines, known, minted
from tests.local.serving import listening
from tests.local.socket_caller import BEARER, RATE, SocketCaller, conversing, spoken
from tests.local.speech import EDGE
from tests.patience import until

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
DELTA = "response.output_audio.delta"
CHUNK = RATE // 5  # samples, 200 ms
MEGABYTE = 2**20
PER_LETTER = 0.06  # s; the voice is a tone

GREETING, QUESTION, _ = known("first-talk")
STORY, STOP = known("barge-in")


@pytest.fixture
async def place() -> AsyncIterator[str]:
    async with listening() as where:
        yield where


def configured(**fields: Any) -> dict[str, Any]:
    return {"type": "realtime", "audio": {"input": {"transcription": {"model": "m"}, **fields}}}


def with_text(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def length_ms(recording: Recording) -> int:
    """To the last sound of it."""
    loud = np.flatnonzero(np.abs(recording.samples) > np.abs(recording.samples).max() * EDGE)
    return int(loud[-1]) * 1000 // recording.rate


async def ask(caller: SocketCaller, text: str) -> None:
    await caller.send("conversation.item.create", item=with_text(text))
    await caller.send("response.create")


# A talk


@pytest.mark.row("O6")
async def test_what_is_appended_is_transcribed_and_answered_in_deltas(place: str) -> None:
    async with conversing(place) as caller:
        await caller.send("session.update", session=configured())
        await caller.say(GREETING)
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text
        done = await caller.wait_for("response.done")
        words = done["response"]["output"][0]["content"][0]["transcript"]
        assert words.startswith("Yes, I can hear you well.")
        pieces = [len(base64.b64decode(event["delta"])) // 2 for event in caller.of(DELTA)]
        assert max(pieces) == CHUNK
        assert sum(pieces) / RATE == pytest.approx(len(words) * PER_LETTER, rel=0.05)
        assert np.abs(caller.sound).max() > 1000
        assert len(caller.of("response.output_audio.done")) == 1


@pytest.mark.row("D2")
@pytest.mark.parametrize("silence_duration_ms", [200, 500, 800])
async def test_the_silence_of_the_session_ends_what_is_said(place: str, silence_duration_ms: int) -> None:
    async with conversing(place) as caller:
        detection = {"type": "server_vad", "silence_duration_ms": silence_duration_ms}
        await caller.send("session.update", session=configured(turn_detection=detection))
        await caller.say(QUESTION)
        stopped = await caller.wait_for("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] == pytest.approx(length_ms(QUESTION) + silence_duration_ms, abs=60)


@pytest.mark.row("D3")
async def test_an_answer_that_may_not_be_interrupted_goes_on(place: str) -> None:
    async with conversing(place) as caller:
        detection = {"type": "server_vad", "interrupt_response": False}
        await caller.send("session.update", session=configured(turn_detection=detection))
        await caller.say(STORY)
        await caller.wait_for("response.created")
        await caller.say(STOP)
        await caller.wait_for("input_audio_buffer.speech_stopped", count=2)
        assert (await caller.wait_for("response.done"))["response"]["status"] == "completed"


@pytest.mark.row("D3")
async def test_where_no_response_is_created_the_client_asks_for_it(place: str) -> None:
    async with conversing(place) as caller:
        detection = {"type": "server_vad", "create_response": False}
        await caller.send("session.update", session=configured(turn_detection=detection))
        await caller.say(GREETING)
        await caller.wait_for(TRANSCRIBED)
        assert not caller.of("response.created")
        await caller.send("response.create")
        assert (await caller.wait_for("response.done"))["response"]["status"] == "completed"


@pytest.mark.row("O6", "E8")
async def test_a_text_turn_has_no_sound(place: str) -> None:
    async with conversing(place) as caller:
        await caller.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
        await ask(caller, "Thank you very much.")
        done = await caller.wait_for("response.done")
        assert done["response"]["output"][0]["content"] == [{"type": "output_text", "text": "You are welcome."}]
        assert not caller.of(DELTA)


async def test_the_clock_is_what_was_appended(place: str) -> None:
    """However fast it comes: two turns in a moment are as far apart as their sound."""
    async with conversing(place) as caller:
        before = RATE * 3
        await caller.append(silence(before))
        await caller.say(GREETING)
        await caller.say(GREETING)
        first = await caller.wait_for("input_audio_buffer.speech_started")
        second = await caller.wait_for("input_audio_buffer.speech_started", count=2)
        assert first["audio_start_ms"] == pytest.approx(3000, abs=400)
        apart = spoken(GREETING).size * 1000 / RATE + 1000
        assert second["audio_start_ms"] - first["audio_start_ms"] == pytest.approx(apart, abs=60)


@pytest.mark.row("O6")
@pytest.mark.parametrize(("form", "law"), [("audio/pcmu", g711.MU_LAW), ("audio/pcma", g711.A_LAW)])
async def test_a_telephone_talks_in_g711(place: str, form: str, law: g711.Law) -> None:
    async with conversing(place) as caller:
        session = configured(format={"type": form})
        session["audio"]["output"] = {"format": {"type": form}}
        await caller.send("session.update", session=session)
        samples = np.concatenate([spoken(GREETING, g711.RATE), silence(g711.RATE)])
        await caller.send("input_audio_buffer.append", audio=base64.b64encode(law.encode(samples)).decode())
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text
        done = await caller.wait_for("response.done")
        answer = law.decode(b"".join(base64.b64decode(event["delta"]) for event in caller.of(DELTA)))
        words = done["response"]["output"][0]["content"][0]["transcript"]
        assert answer.size / g711.RATE == pytest.approx(len(words) * PER_LETTER, rel=0.05)
        assert np.abs(answer).max() > 1000


async def test_a_tenth_of_a_second_is_enough_to_commit(place: str) -> None:
    """The resampler holds back a little: what was refused was a buffer of 99 ms, by the server's count."""
    async with conversing(place) as caller:
        await caller.send("session.update", session=configured(turn_detection=None))
        await caller.append(silence(RATE // 10))
        await caller.send("input_audio_buffer.commit")
        await caller.wait_for("input_audio_buffer.committed")
        await caller.send("input_audio_buffer.commit")
        assert (await caller.wait_for("error"))["error"]["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.row("O6")
async def test_without_detection_the_client_clears_commits_and_asks(place: str) -> None:
    async with conversing(place) as caller:
        await caller.send("session.update", session=configured(turn_detection=None))
        await caller.append(spoken(STOP))
        await caller.send("input_audio_buffer.clear")
        await caller.append(spoken(GREETING))
        await caller.send("input_audio_buffer.commit")
        await caller.send("response.create")
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text
        assert (await caller.wait_for("response.done"))["response"]["status"] == "completed"
        assert not caller.of("input_audio_buffer.speech_started")


# Interruption


class SlowVoice:
    """A sentence takes until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()

    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        await self.let_go.wait()
        return AudioFrame(silence(RATE), 2 * RATE)


@pytest.mark.row("O6")
async def test_who_talks_over_an_answer_that_is_being_made_ends_it() -> None:
    voice = SlowVoice()
    async with listening(replace(engines(), voice=voice)) as place, conversing(place) as caller:
        await caller.send("session.update", session=configured())
        await caller.say(STORY)
        await caller.wait_for("response.content_part.added")
        await caller.say(STOP)
        first = await caller.wait_for("response.done")
        assert first["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        voice.let_go.set()
        assert (await caller.wait_for("response.done", count=2))["response"]["status"] == "completed"
        assert first["response"]["id"] not in {event["response_id"] for event in caller.of(DELTA)}


@pytest.mark.row("O6")
async def test_the_client_truncates_what_it_has_not_played(place: str) -> None:
    async with conversing(place) as caller:
        await ask(caller, "Thank you very much.")
        item_id = (await caller.wait_for("response.done"))["response"]["output"][0]["id"]
        await caller.say(GREETING)
        await caller.wait_for("input_audio_buffer.speech_started")
        assert not caller.of("conversation.item.truncated")
        await caller.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300)
        assert (await caller.wait_for("conversation.item.truncated"))["audio_end_ms"] == 300
        await caller.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=99_999)
        assert (await caller.wait_for("error"))["error"]["param"] == "audio_end_ms"


async def test_the_output_buffer_is_the_clients_own(place: str) -> None:
    async with conversing(place) as caller:
        await caller.send("output_audio_buffer.clear", event_id="mine")
        error = (await caller.wait_for("error"))["error"]
        assert (error["code"], error["event_id"]) == ("invalid_event_for_transport", "mine")


# Who may come


@pytest.mark.row("C3", "O6")
async def test_a_secret_brings_its_session_by_header_and_by_subprotocol(place: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{place}/v1/realtime", headers=BEARER) as http:
        secret = await minted(http, {"model": "bound", "instructions": "be brief"})
    async with conversing(place, query="?model=asked", headers={"Authorization": f"Bearer {secret}"}) as caller:
        session = caller.events[0]["session"]
        assert (session["model"], session["instructions"]) == ("bound", "be brief")
    offered = ("realtime", f"openai-insecure-api-key.{secret}", "openai-agents-sdk.1")
    async with conversing(place, headers={}, subprotocols=offered) as caller:
        assert caller.events[0]["session"]["instructions"] == "be brief"
        assert caller.connection.subprotocol == "realtime"


@pytest.mark.row("O6")
async def test_azures_path_and_key_open_a_session(place: str) -> None:
    url = f"ws://{place}/openai/v1/realtime?model=mine"
    async with websockets.connect(url, additional_headers={"api-key": "any"}) as connection:
        assert json.loads(await connection.recv())["session"]["model"] == "mine"


async def test_a_key_may_ask_for_a_model(place: str) -> None:
    async with conversing(place, query="?model=mine") as caller:
        assert caller.events[0]["session"]["model"] == "mine"
        assert caller.connection.subprotocol is None


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ({}, ()),
        ({"Authorization": "Bearer ek_nobody"}, ()),
        ({"Authorization": "Basic c2stMQ=="}, ()),
        ({}, ("realtime", "openai-insecure-api-key.ek_nobody")),
        ({}, ("realtime", "openai-insecure-api-key.")),
    ],
)
async def test_who_has_no_key_is_refused_before_the_session(
    place: str, headers: dict[str, str], subprotocols: tuple[str, ...]
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with conversing(place, headers=headers, subprotocols=subprotocols):
            pass
    assert refused.value.response.status_code == 401
    error = json.loads(refused.value.response.body)["error"]
    assert (error["code"], error["type"]) == ("invalid_api_key", "invalid_request_error")


async def test_a_second_connection_to_a_call_is_refused(place: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with conversing(place, query="?call_id=rtc_1"):
            pass
    assert json.loads(refused.value.response.body)["error"]["param"] == "call_id"


# What clients may send


@pytest.mark.row("E1", "O6")
@pytest.mark.parametrize(
    "message",
    [
        b"\x00\xff",
        b"\xff" * MEGABYTE,
        "",
        "x" * MEGABYTE,
        "[" * 100_000,
        '{"type": NaN}',
        '{"type": "session.update", "session": {"instructions": "' + "x" * MEGABYTE + '"}}',
        '{"type": "input_audio_buffer.append"}',
        '{"type": "input_audio_buffer.append", "audio": "?"}',
        '{"type": "input_audio_buffer.append", "audio": "\u00e9"}',
        '{"type": "input_audio_buffer.append", "audio": "AA=="}',
        '{"type": "input_audio_buffer.append", "audio": "' + "A" * (15 * MEGABYTE + 4) + '"}',
    ],
    ids=lambda message: repr(message[:60]),
)
async def test_garbage_is_answered_and_the_session_lives(place: str, message: str | bytes) -> None:
    async with conversing(place) as caller:
        await caller.connection.send(message)
        await caller.wait_for("error")
        await caller.send("session.update", session={"type": "realtime", "instructions": "still here"})
        assert (await caller.wait_for("session.updated"))["session"]["instructions"] == "still here"
        assert len(caller.of("error")) == 1


async def test_minutes_in_one_message_are_heard_to_the_end(place: str) -> None:
    """The oldest sound was dropped before what had been said in it was cut out."""
    samples: NDArray[np.int16] = np.concatenate([spoken(GREETING), silence(RATE * 90), spoken(STOP), silence(RATE)])
    async with conversing(place) as caller:
        await caller.send("session.update", session=configured())
        await caller.send("input_audio_buffer.append", audio=base64_from_pcm16(samples))
        await caller.wait_for(TRANSCRIBED, count=2)
        assert {event["transcript"] for event in caller.of(TRANSCRIBED)} == {GREETING.text, STOP.text}


# How sessions end


async def test_sessions_leave_nothing_behind(place: str) -> None:
    async with conversing(place):
        pass  # what is loaded and started once for all sessions
    async with nothing_left():
        for _ in range(20):
            async with conversing(place) as caller:
                await caller.send("response.create")
                await caller.wait_for("response.created")


async def test_sessions_that_are_served_when_the_server_stops_are_closed() -> None:
    async with nothing_left():
        async with listening() as place:
            connection = await websockets.connect(f"ws://{place}/v1/realtime", additional_headers=BEARER)
            await connection.recv()
        await asyncio.wait_for(connection.wait_closed(), 5)
        assert connection.close_code == 1012


async def test_a_client_that_vanishes_ends_its_session(place: str) -> None:
    connection = await websockets.connect(f"ws://{place}/v1/realtime", additional_headers=BEARER)
    await connection.recv()
    before = sessions()
    connection.transport.abort()
    await until(lambda: len(sessions()) < len(before))


async def test_a_client_that_takes_nothing_is_let_go(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It asks and asks, and never reads: first the sockets fill up, then the queue."""
    monkeypatch.setattr("couchvoice.local.send_queue.LIMIT", MEGABYTE)
    url = f"ws://{place}/v1/realtime"
    connection = await websockets.connect(url, additional_headers=BEARER, max_queue=1, compression=None)
    await connection.recv()
    asking = asyncio.create_task(ask_for_ever(connection))
    await until(lambda: "the client takes nothing" in caplog.text)
    await until(lambda: not sessions())
    asking.cancel()
    await asyncio.wait([asking])
    connection.transport.abort()


async def ask_for_ever(connection: websockets.ClientConnection) -> None:
    update = json.dumps({"type": "session.update", "session": {"type": "realtime", "instructions": "x" * 100_000}})
    while True:
        await connection.send(update)


def sessions() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("sess_")]
