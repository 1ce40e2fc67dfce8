"""The two foreign ends tried with small callers of their own, so that a failing talk is couchvoice's failure."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e import scenarios
from tests.e2e.bare_peer import bare_call
from tests.e2e.minimal_backend import PREFIX, Fault, MinimalBackend
from tests.e2e.realtime_end import RealtimeEnd
from tests.e2e.scenario import SECRET, Scenario, Step, validate

ALL = [
    scenarios.plain_turn,
    scenarios.without_session_created,
    scenarios.late_user_transcript,
    scenarios.assistant_text_first,
    scenarios.tool_call,
    scenarios.repeated_call,
    scenarios.parallel_calls,
    scenarios.waits_for_user,
    scenarios.cancelled_call,
    scenarios.interrupted,
    scenarios.spoken_over,
    scenarios.garbage,
    scenarios.active_response,
    scenarios.expired,
    partial(scenarios.gone, {"close": True}),
]


@pytest.mark.parametrize("build", ALL, ids=lambda build: getattr(build, "__name__", "gone"))
def test_openai_s_own_types_accept_every_event_of_a_scenario(build: Callable[[], Scenario]) -> None:
    events = [step["send"] for reaction in build().reactions for step in reaction["do"] if "send" in step]
    for event in events:
        validate(event)
    assert events
    assert len({event["event_id"] for event in events}) == len(events)


@pytest.mark.timeout(60)
async def test_the_realtime_end_answers_speech_with_events_and_speech(tmp_path: Path) -> None:
    async with RealtimeEnd(scenarios.plain_turn(), tmp_path) as end:
        async with bare_call(end.url, tmp_path, secret=SECRET) as (peer, response):
            await peer.wait_for_event("output_audio_buffer.stopped")
        assert response.status_code == 201
        assert response.headers["location"].startswith("/v1/realtime/calls/rtc_")
        assert response.headers["content-type"] == "application/sdp"
        types = peer.types()
        expected = [
            "session.created",
            "input_audio_buffer.speech_started",
            "input_audio_buffer.committed",
            "conversation.item.input_audio_transcription.completed",
            "response.created",
            "output_audio_buffer.started",
            "response.output_audio_transcript.done",
            "response.done",
            "output_audio_buffer.stopped",
        ]
        assert [kind for kind in types if kind in expected] == expected
        assert peer.loud_ms > 300
        await end.stop()
    assert [line["label"] for line in end.saw("channel", state="open")] == ["oai-events"]
    assert [line["state"] for line in end.saw("speech")] == ["started", "stopped"]
    assert end.saw("closed")[0]["heard_ms"] > 300


@pytest.mark.timeout(60)
async def test_the_realtime_end_reacts_to_what_the_client_sends(tmp_path: Path) -> None:
    async with RealtimeEnd(scenarios.active_response(), tmp_path) as end:
        async with bare_call(end.url, tmp_path, secret=SECRET) as (peer, _):
            await peer.wait_for_event("rate_limits.updated")
            output = {"type": "function_call_output", "call_id": "call_lookup", "output": "{}"}
            peer.send("conversation.item.create", item=output)
            peer.send("response.create", event_id="mine")
            await peer.wait_for_event("error")
            error = next(event["error"] for event in peer.events if event["type"] == "error")
            assert error["event_id"] == "mine"
            peer.send("response.create")
            await peer.wait_for_event("output_audio_buffer.stopped")
            assert any(event.get("item", {}).get("call_id") == "call_lookup" for event in peer.events)
        await end.stop()
    assert len(end.received("response.create")) == 2


@pytest.mark.timeout(60)
async def test_the_realtime_end_sends_garbage_and_then_a_turn(tmp_path: Path) -> None:
    async with RealtimeEnd(scenarios.garbage(), tmp_path) as end:
        async with bare_call(end.url, tmp_path, secret=SECRET) as (peer, _):
            await peer.wait_for(lambda: any("output_audio_buffer.stopped" in str(m)[:99] for m in peer.received[22:]))
        assert len(end.saw("sent_raw")) == len(scenarios.garbage_steps())
    assert any(isinstance(message, bytes) for message in peer.received)
    assert max(len(message) for message in peer.received) > scenarios.BIG


@pytest.mark.timeout(60)
async def test_the_realtime_end_hears_two_utterances_and_stops_its_sound(tmp_path: Path) -> None:
    async with RealtimeEnd(scenarios.interrupted(), tmp_path) as end:
        async with bare_call(end.url, tmp_path, secret=SECRET, starts=(1.0, 3.5)) as (peer, _):
            await peer.wait_for_event("output_audio_buffer.stopped")
        statuses = [event["response"]["status"] for event in peer.events if event["type"] == "response.done"]
        assert statuses == ["cancelled", "completed"]
        assert peer.loud_ms < 4500  # the long answer alone would be 6 s


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", [{"close": True}, {"close_channel": True}], ids=lambda how: next(iter(how)))
async def test_the_realtime_end_goes_in_the_middle_of_its_sentence(how: Step, tmp_path: Path) -> None:
    async with RealtimeEnd(scenarios.gone(how), tmp_path) as end:
        async with bare_call(end.url, tmp_path, secret=SECRET) as (peer, _):
            await peer.wait_for(lambda: peer.channel.readyState == "closed")
        assert any(event["type"] == "response.created" for event in peer.events)
        assert "response.done" not in peer.types()


@pytest.mark.timeout(60)
async def test_the_realtime_end_refuses_like_openai(tmp_path: Path) -> None:
    async with RealtimeEnd(scenarios.plain_turn(), tmp_path) as end, httpx.AsyncClient() as http:
        url = f"{end.url}/realtime/calls"
        wrong = await http.post(
            url, content="v=0", headers={"Authorization": "Bearer ek_x", "Content-Type": "application/sdp"}
        )
        right = {"Authorization": f"Bearer {SECRET}"}
        other = await http.post(url, content="{}", headers=right | {"Content-Type": "application/json"})
        empty = await http.post(url, content="hello", headers=right | {"Content-Type": "application/sdp"})
        unknown = await http.post(f"{url}/rtc_nobody/hangup", headers=right)
        assert [answer.status_code for answer in (wrong, other, empty, unknown)] == [401, 415, 400, 404]
        assert wrong.json()["error"].keys() == {"message", "type", "code", "param"}
        await end.wait_for(lambda: len(end.saw("request")) == 4, within=5)


async def _post(backend: MinimalBackend, endpoint: str, **body: object) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{backend.url}{PREFIX}{endpoint}", json={"thread_id": "t", **body})


async def test_the_backend_gives_the_minimal_replies_and_keeps_the_requests() -> None:
    with MinimalBackend(secret="ek_x") as backend:
        session = (await _post(backend, "session", memory_mode="persistent")).json()
        assert session.keys() == {"client_secret", "session_config", "thread_id", "user_id", "memory_mode"}
        assert (await _post(backend, "tools", tool_name="wait_for_user")).json()["output"]["should_respond"] is False
        durable = {"user_text": "a", "assistant_text": "b", "memory_mode": "persistent"}
        assert (await _post(backend, "turn", **durable)).json() == {
            "recorded": True,
            "thread_id": "t",
            "message_count": 2,
        }
        assert (await _post(backend, "turn", user_text="a")).json()["recorded"] is False
        assert (await _post(backend, "end")).json()["finalized"] is False
        assert (await _post(backend, "tools")).status_code == 422
        assert (await _post(backend, "other")).status_code == 404
        assert backend.order() == ["session", "tools", "turn", "turn", "end", "tools", "other"]
        assert backend.to("turn")[0]["user_text"] == "a"
        assert backend.requests[0].at <= backend.requests[-1].at


async def test_the_backend_fails_as_it_is_told_to() -> None:
    with MinimalBackend(secret="ek_x") as backend:
        backend.faults = {
            "turn": Fault(status=503, times=2),
            "end": Fault(drop=True),
            "session": Fault(status=200, body="<html>", content_type="text/html"),
        }
        backend.delays = {"tools": 0.2}
        assert [(await _post(backend, "turn")).status_code for _ in range(3)] == [503, 503, 200]
        with pytest.raises(httpx.RemoteProtocolError):
            await _post(backend, "end")
        assert (await _post(backend, "session")).text == "<html>"
        both = await asyncio.gather(_post(backend, "tools", tool_name="a"), _post(backend, "tools", tool_name="b"))
        first, second = backend.requests[-2:]
        assert [reply.status_code for reply in both] == [200, 200]
        assert second.at - first.at < 0.2


def test_the_backend_is_a_program_too() -> None:
    program = [sys.executable, str(Path(__file__).parent / "minimal_backend.py"), "--port", "0", "--secret", "ek_x"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # it was started with a pipe
        ready, url = process.stdout.readline().split()
        reply = httpx.post(f"{url}{PREFIX}session", json={"thread_id": "t"})
        process.communicate()
    assert ready == "ready"
    assert reply.json()["client_secret"] == "ek_x"
    assert process.returncode == 0
