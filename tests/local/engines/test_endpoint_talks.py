"""Talks of our server whose ears, wits and voice are another's: they go on whatever the other does."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from couchvoice.local.engine_options import Endpoint, EngineOptions
from couchvoice.local.engines import chat_endpoint, speech_endpoint, transcription_endpoint
from couchvoice.local.engines.choose_engines import running_engines
from tests.local.caller import known
from tests.local.engines.far_end import FAILURES, NEVER, FarEnd, far_end
from tests.local.serving import listening
from tests.local.socket_caller import SocketCaller, conversing

TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}
CALL = {"tool_calls": [{"index": 0, "function": {"name": "get_weather", "arguments": '{"place": "Cork"}'}}]}
SPOKEN = "It is raining. Take a coat."
QUIET = 0.3  # seconds


@asynccontextmanager
async def talking(
    *, transcription: Endpoint | None = None, chat: Endpoint | None = None, speech: Endpoint | None = None
) -> AsyncIterator[SocketCaller]:
    options = EngineOptions(phrases=False, transcription=transcription, chat=chat, speech=speech)
    async with (
        running_engines(options) as engines,
        listening(engines) as place,
        conversing(place) as caller,
    ):
        transcribes = {"input": {"transcription": {"model": "m", "language": "en"}}}
        session = {"type": "realtime", "tools": [TOOL], "audio": transcribes}
        await caller.send("session.update", session=session)
        yield caller


@pytest.fixture
async def far() -> AsyncIterator[FarEnd]:
    async with far_end() as far:
        yield far


def asked_of(far: FarEnd, field: str) -> list[dict[str, Any]]:
    return [asked for asked in far.asked if field in asked]


async def test_a_talk_is_heard_answered_and_spoken_by_endpoints(far: FarEnd) -> None:
    far.deltas = [{"content": "One moment. "}, CALL]
    async with talking(transcription=far.endpoint, chat=far.endpoint, speech=far.endpoint) as caller:
        await caller.say(known("first-talk")[0])
        done = (await caller.wait_for("response.done"))["response"]
        (transcript,) = caller.of("conversation.item.input_audio_transcription.completed")
        assert transcript["transcript"] == far.heard
        assert [item["type"] for item in done["output"]] == ["message", "function_call"]
        call = done["output"][1]
        assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"place": "Cork"})
        assert np.abs(caller.sound).max() > 7000

        far.deltas = [{"content": "It is raining."}, {"content": " Take a coat."}]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"weather": "rain"}'}
        await caller.send("conversation.item.create", item=output)
        await caller.send("response.create")
        answered = (await caller.wait_for("response.done", count=2))["response"]
        assert answered["status"] == "completed"
        assert answered["output"][0]["content"][0]["transcript"] == SPOKEN
    messages = asked_of(far, "messages")[1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[0]["content"] == far.heard
    assert [asked["input"] for asked in asked_of(far, "input")] == ["One moment.", "It is raining.", "Take a coat."]
    assert far.asked[0]["language"] == "en"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    """Nobody waits long for a server that never answers; the others have the time that a busy machine takes."""
    for engine in (chat_endpoint, speech_endpoint, transcription_endpoint):
        if failure == NEVER:
            monkeypatch.setattr(engine, "_QUIET", QUIET)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", FAILURES)
async def test_words_that_a_server_does_not_find_are_a_failed_transcription(failure: str, far: FarEnd) -> None:
    far.instead, _ = FAILURES[failure]
    async with talking(transcription=far.endpoint) as caller:
        await caller.say(known("first-talk")[0])
        await caller.wait_for("conversation.item.input_audio_transcription.failed")
        await caller.wait_for("response.done")
        far.instead = None
        await caller.say(known("first-talk")[1])
        heard = await caller.wait_for("conversation.item.input_audio_transcription.completed")
        assert heard["transcript"] == far.heard


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("engine", ["chat", "speech"])
async def test_an_answer_that_a_server_does_not_make_is_a_failed_response(
    engine: str, failure: str, far: FarEnd, caplog: pytest.LogCaptureFixture
) -> None:
    far.instead, reason = FAILURES[failure]
    async with talking(**{engine: far.endpoint}) as caller:
        words = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "good morning"}]}
        await caller.send("conversation.item.create", item=words)
        await caller.send("response.create")
        failed = (await caller.wait_for("response.done"))["response"]
        assert failed["status"] == "failed"
        assert failed["status_details"]["error"]["code"] == "engine_failed"
        far.instead = None
        await caller.send("response.create")
        assert (await caller.wait_for("response.done", count=2))["response"]["status"] == "completed"
    assert re.search(rf"127\.0\.0\.1:\d+ failed: {reason}", caplog.text)
    assert "secret" not in caplog.text
    assert "good morning" not in caplog.text
