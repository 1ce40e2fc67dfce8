"""Calls over real WebRTC on loopback: what is said, heard and answered, and how calls end."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import replace
from typing import Any

import aioice.ice
import pytest

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines.heard import Heard
from tests.leftovers import nothing_left
from tests.local.caller import KEY, Caller, calling, engines, known, minted, served
from tests.local.staged import TRANSCRIBES
from tests.local.wire import check_session
from tests.patience import WAIT, until

TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
STARTED, STOPPED, CLEARED = (f"output_audio_buffer.{part}" for part in ("started", "stopped", "cleared"))
STRING = 51  # RFC 8831 §8, WebRTC String
CALLS = 20
HALF_A_MESSAGE = 150_000  # characters; two of them are more than a channel takes
MANUAL = {"audio": {"input": {"transcription": {"model": "m"}, "turn_detection": None}}}
CONSENT = 0.05  # seconds between two checks, instead of 5

GREETING = known("first-talk")[0]
STORY, STOP = known("barge-in")


def without_candidates(sdp: str) -> str:
    return re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", sdp)


def with_text(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


@pytest.mark.row("A1", "O5", "E6")
async def test_what_is_said_is_transcribed_and_answered_aloud() -> None:
    async with served() as http, calling(http) as caller:
        caller.say(GREETING)
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text
        await caller.wait_for(STARTED)
        await until(lambda: caller.loud_ms >= 200)
        done = await caller.wait_for("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"].startswith("Yes, I can hear you well.")
        assert caller.peer.connectionState == "connected"


@pytest.mark.row("E5", "O5")
async def test_who_talks_over_the_answer_is_heard_and_the_answer_stops() -> None:
    async with served() as http, calling(http) as caller:
        caller.say(STORY)
        await caller.wait_for(STARTED)
        await until(lambda: caller.loud_ms >= 500)
        caller.say(STOP)
        await caller.wait_for(CLEARED)
        truncated = await caller.wait_for("conversation.item.truncated")
        assert truncated["audio_end_ms"] >= 500
        first = await caller.wait_for("response.done")
        assert first["response"]["status_details"]["reason"] == "turn_detected"
        second = await caller.wait_for("response.done", count=2)
        assert second["response"]["status"] == "completed"
        assert [event["transcript"] for event in caller.of(TRANSCRIBED)] == [STORY.text, STOP.text]


@pytest.mark.row("O5")
async def test_the_end_of_the_sound_is_told_when_it_has_gone_out() -> None:
    async with served() as http, calling(http) as caller:
        caller.send("conversation.item.create", item=with_text("Thank you very much."))
        caller.send("response.create")
        await caller.wait_for(STOPPED)
        length = len("You are welcome.") * 60
        assert caller.loud_ms == pytest.approx(length, abs=100)


@pytest.mark.row("O5")
async def test_an_offer_without_candidates_connects() -> None:
    async with served() as http, calling(http, edit=without_candidates) as caller:
        caller.send("session.update", session={"type": "realtime", "instructions": "x"})
        await caller.wait_for("session.updated")


async def test_detection_that_begins_late_is_on_the_clock_of_the_input() -> None:
    """The detector counted from its own beginning: what was cut and recognized was the sound before the speech."""
    async with served() as http, calling(http, bearer=await minted(http, MANUAL)) as caller:
        caller.say(GREETING)
        await until(lambda: caller.microphone.is_silent)
        caller.send(
            "session.update",
            session={"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
        )
        await caller.wait_for("session.updated")
        caller.say(STOP)
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == STOP.text


async def test_who_sends_nothing_while_he_is_silent_is_idle_too() -> None:
    """A caller whose stack sends no packets in a pause."""
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    async with served() as http, calling(http, bearer=await minted(http, TRANSCRIBES)) as caller:
        caller.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}})
        caller.send("conversation.item.create", item=with_text("Thank you very much."))
        caller.send("response.create")
        await caller.wait_for(STOPPED)
        caller.microphone.pause()
        timed_out = await caller.wait_for("input_audio_buffer.timeout_triggered")
        assert timed_out["audio_end_ms"] - timed_out["audio_start_ms"] >= 5000


async def test_what_is_committed_by_hand_is_recognized() -> None:
    async with served() as http, calling(http, bearer=await minted(http, MANUAL)) as caller:
        caller.send("input_audio_buffer.clear")
        caller.say(GREETING)
        await until(lambda: caller.microphone.is_silent)
        caller.send("input_audio_buffer.commit")
        caller.send("input_audio_buffer.clear")
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text


# How calls end


async def test_a_call_that_is_hung_up_is_over() -> None:
    async with served() as http:
        caller = Caller()
        await caller.accept((await caller.call(http, await minted(http))).text)
        await caller.wait_for("session.created")
        assert (await http.post(f"/calls/{caller.call_id}/hangup")).status_code == 200
        await asyncio.wait_for(caller.closed.wait(), WAIT)
        await until_over(caller.call_id)
        check_session(caller.events)
        await caller.close()


async def test_a_call_ends_when_its_channel_is_closed() -> None:
    async with served() as http, calling(http) as caller:
        caller.channel.close()
        await until_over(caller.call_id)


@pytest.mark.parametrize("label", ["oai-events", "events"])
async def test_a_call_without_its_channel_ends(label: str, caplog: pytest.LogCaptureFixture) -> None:
    """The first never connects, the second opens a channel that nobody knows."""
    async with served(connect_timeout=1.0) as http:
        caller = Caller(label=label)
        response = await caller.call(http, KEY)
        if label == "events":
            await caller.accept(response.text)
        await until_over(caller.call_id)
        await caller.close()
    assert caller.messages == []
    assert "nobody came within 1 s" in caplog.text


async def test_a_caller_who_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", CONSENT)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 2)
    monkeypatch.setattr("aioice.stun.RETRY_RTO", CONSENT)
    async with served() as http, calling(http) as caller:
        vanish(caller)
        await until_over(caller.call_id)


async def test_calls_leave_nothing_behind() -> None:
    async with served() as http:
        secret = await minted(http)
        async with calling(http, bearer=secret):
            pass  # what is loaded and started once for all calls
        async with nothing_left():
            for _ in range(CALLS):
                async with calling(http, bearer=secret) as caller:
                    caller.send("response.create")
                    await caller.wait_for("response.created")
                await until_over(caller.call_id)


async def test_calls_that_are_served_when_the_server_stops_are_hung_up() -> None:
    async with nothing_left():
        async with served() as http:
            callers = [Caller() for _ in range(2)]
            for caller in callers:
                await caller.accept((await caller.call(http, KEY)).text)
                await caller.wait_for("session.created")
        for caller in callers:
            await asyncio.wait_for(caller.closed.wait(), WAIT)
            await caller.close()


# What callers may offer and send


@pytest.mark.row("E1")
async def test_garbage_on_the_channel_is_answered_and_the_call_lives() -> None:
    async with served() as http, calling(http) as caller:
        assert caller.channel.id is not None  # the channel is open
        await caller.sctp._send(caller.channel.id, STRING, b"\xff\xfe\xfd")
        for message in (b"\x00\xff", "", "[" * 100_000, '{"type": NaN}', "{}", '"' + "x" * 200_000 + '"'):
            caller.channel.send(message)
        caller.send("conversation.item.create", item=with_text("é" * 90_000))
        caller.send("conversation.item.retrieve", item_id="nobody", event_id="last")
        await caller.wait_for("error", count=8)
        assert caller.of("error")[-1]["error"]["event_id"] == "last"
        assert caller.of("conversation.item.done")[0]["item"]["content"][0]["text"] == "é" * 90_000


async def test_in_place_of_an_event_that_no_channel_takes_comes_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as http, calling(http) as caller:
        for call_id in ("call_1", "call_2"):
            call = {"type": "function_call", "name": "t", "call_id": call_id, "arguments": "{}"}
            output = json.dumps({"response_text": "x" * HALF_A_MESSAGE})
            caller.send("conversation.item.create", item=call)
            caller.send(
                "conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": output}
            )
        caller.send("response.create", response={"output_modalities": ["text"]})
        error = (await caller.wait_for("error"))["error"]
        assert (error["type"], error["code"]) == ("server_error", "event_too_large")
        await until(lambda: caller.of("rate_limits.updated"))
        caller.messages.clear()  # what was left out is missed by the judge
        caller.send("session.update", session={"type": "realtime"})
        await caller.wait_for("session.updated")
        caller.messages.clear()
    assert "an error is sent in its place" in caplog.text


async def test_a_caller_who_takes_little_gets_an_error_in_place_of_much() -> None:
    def modest(sdp: str) -> str:
        return re.sub(r"a=max-message-size:\d+", "a=max-message-size:2000", sdp)

    async with served() as http, calling(http, edit=modest) as caller:
        caller.send("session.update", session={"type": "realtime", "instructions": "x" * 2000})
        assert (await caller.wait_for("error"))["error"]["code"] == "event_too_large"
        caller.send("session.update", session={"type": "realtime", "instructions": ""})
        await caller.wait_for("session.updated")


async def test_a_second_channel_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as http, calling(http) as caller:
        caller.peer.createDataChannel("oai-events")
        await until(lambda: "is ignored" in caplog.text)
        caller.send("session.update", session={"type": "realtime"})
        await caller.wait_for("session.updated")
        assert len(caller.of("session.created")) == 1


@pytest.mark.row("E8")
@pytest.mark.parametrize("directions", [(), ("sendonly",), ("inactive",)])
async def test_who_does_not_listen_reads_the_answer(directions: tuple[str, ...]) -> None:
    async with served() as http, calling(http, directions=directions) as caller:
        caller.send("conversation.item.create", item=with_text("Thank you very much."))
        caller.send("response.create")
        done = await caller.wait_for("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "You are welcome."
        assert not caller.of(STARTED)


async def test_what_is_offered_besides_one_audio_line_is_turned_down() -> None:
    async with served() as http:
        caller = Caller()
        caller.peer.addTransceiver("video")
        caller.peer.addTransceiver("audio")
        await caller.accept((await caller.call(http, KEY)).text)
        await caller.wait_for("session.created")
        directions = [transceiver.currentDirection for transceiver in caller.peer.getTransceivers()]
        assert directions == ["sendrecv", "inactive", "inactive"]
        await caller.close()


# Engines that fail


class BrokenRecognizer:
    async def hear(self, sound: AudioFrame, *, language: str | None = None) -> Heard:
        raise RuntimeError("no ears")


class BrokenVoice:
    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        raise RuntimeError("no voice")


async def test_a_recognizer_that_fails_is_a_failed_transcription(caplog: pytest.LogCaptureFixture) -> None:
    async with served(replace(engines(), recognizer=BrokenRecognizer())) as http, calling(http) as caller:
        caller.say(GREETING)
        await caller.wait_for("conversation.item.input_audio_transcription.failed")
        assert (await caller.wait_for("response.done"))["response"]["status"] == "completed"
    assert "an engine failed" in caplog.text


async def test_a_voice_that_fails_is_a_failed_response(caplog: pytest.LogCaptureFixture) -> None:
    async with served(replace(engines(), voice=BrokenVoice())) as http, calling(http) as caller:
        for count in (1, 2):
            caller.send("response.create")
            response = (await caller.wait_for("response.done", count=count))["response"]
            assert response["status_details"]["error"]["code"] == "engine_failed"
    assert "an engine failed" in caplog.text


async def test_nothing_that_was_said_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "couchvoice")
    async with served() as http, calling(http, bearer=await minted(http, TRANSCRIBES)) as caller:
        caller.say(GREETING)
        await caller.wait_for("response.done")
    assert "hear me" not in caplog.text
    assert "candidate" not in caplog.text


async def until_over(call_id: str) -> None:
    """The server has released the call: its task, which has its name, is gone."""
    await until(lambda: call_id not in {task.get_name() for task in asyncio.all_tasks()})


def vanish(caller: Caller) -> None:
    """As when a cable is pulled: no goodbye, and nothing gets through."""
    for protocol in caller.sctp.transport.transport._connection._protocols:
        protocol.transport.abort()
