"""What is asked and never answered is told, and the exit status says so; so is a talk that nobody hears."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from couchvoice.apps import talk as talk_module
from couchvoice.apps.talk import talk
from couchvoice.apps.talk_options import TalkOptions
from couchvoice.core.notices import Problem
from couchvoice.settings import Settings, load_settings
from tests.apps.command import run, started
from tests.apps.kept import KeptScreen
from tests.apps.serving import serving
from tests.audio.tones import tone, wav_bytes
from tests.e2e.minimal_backend import SESSION_CONFIG, Fault, MinimalBackend
from tests.transports.answering_peer import SECRET, AnsweringPeer, answering_peer

pytestmark = pytest.mark.timeout(60)

SHORT = 0.3  # seconds
LATE = 60.0  # seconds, longer than the test
RATE = 8_000  # Hz


@asynccontextmanager
async def mute_provider() -> AsyncIterator[tuple[AnsweringPeer, Settings]]:
    """It takes every change of the session, and answers nothing."""
    async with answering_peer() as peer, serving(peer.app) as url:

        def take(event: dict[str, Any]) -> None:
            if event["type"] == "session.update":
                peer.send("session.updated", session={"type": "realtime"})

        peer.on_event = take
        with MinimalBackend(secret=SECRET) as backend:
            yield peer, load_settings({"backend_url": backend.url, "realtime_url": f"{url}/v1"})


def codes(screen: KeptScreen) -> list[str]:
    return [notice.code for notice in screen.notices if isinstance(notice, Problem)]


def type_ahead(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    typed = "".join(f"{line}\n" for line in lines).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))


@pytest.mark.row("E8")
async def test_a_line_that_nobody_answers_is_told_and_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk_module, "TYPED_END_TIMEOUT", SHORT)
    type_ahead(monkeypatch, "Is anybody there?")
    screen = KeptScreen()
    async with mute_provider() as (_, settings):
        assert await talk(settings, TalkOptions(text=True), screen) == 1
    assert codes(screen) == ["answer_missing"]
    assert screen.summaries[0].exit_status == 1


async def ask(peer: AnsweringPeer) -> None:
    """The provider hears words."""
    await peer.opened.wait()
    peer.send("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=0)
    peer.send("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=100)


async def test_words_that_nobody_answers_are_told_and_are_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk_module, "END_GRACE", SHORT)
    monkeypatch.setattr(talk_module, "END_TIMEOUT", 2 * SHORT)
    wav = tmp_path / "hum.wav"
    wav.write_bytes(wav_bytes(tone(SHORT, rate=RATE), rate=RATE))
    screen = KeptScreen()
    async with mute_provider() as (peer, settings):
        asking = asyncio.create_task(ask(peer), name="ask")
        assert await talk(settings, TalkOptions(input=str(wav), output="none"), screen) == 1
        await asking
    assert codes(screen) == ["answer_missing"]


@pytest.mark.row("E8")
@pytest.mark.parametrize("runs_on", [False, True])
async def test_a_tool_that_nobody_hears_of_is_what_is_blamed(runs_on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider has done its part, and waits for the tool like everybody else."""
    monkeypatch.setattr(talk_module, "TYPED_END_TIMEOUT", SHORT)
    type_ahead(monkeypatch, "Paint me a cat.")
    screen = KeptScreen()
    async with mute_provider() as (peer, settings):
        backend = MinimalBackend(secret=SECRET)
        if runs_on:
            begun = Fault(200, '{"output": {"status": "generating"}, "task_id": "task_1"}')
            backend.faults = {"tools": begun, "tools/result": Fault(503)}  # type: ignore[dict-item]  # one of ours
        else:
            backend.delays = {"tools": LATE}
        take = peer.on_event

        def answer(event: dict[str, Any]) -> None:
            if event["type"] == "response.create":
                call_a_tool(peer)
            else:
                take(event)

        peer.on_event = answer
        with backend:
            settings = dataclasses.replace(settings, backend_url=backend.url)
            assert await talk(settings, TalkOptions(text=True), screen) == 1
    (missing,) = [n for n in screen.notices if isinstance(n, Problem) and n.code == "answer_missing"]
    assert missing.message == "a tool of the backend did not answer in time"


def call_a_tool(peer: AnsweringPeer) -> None:
    call = {"id": "item_9", "type": "function_call", "status": "completed", "name": "paint", "call_id": "call_9"}
    call["arguments"] = "{}"
    peer.send("response.created", response={"id": "resp_9", "status": "in_progress", "output": []})
    peer.send("response.output_item.done", response_id="resp_9", output_index=0, item=call)
    peer.send("response.done", response={"id": "resp_9", "status": "completed", "output": [call]})


@pytest.mark.row("E7")
async def test_a_line_that_is_too_long_is_said_once_with_the_limit_and_is_no_success() -> None:
    async with started("talk", "--text", "--plain") as talking:
        talking.type("y" * 16_001)
        assert talking.process.stdin is not None  # a pipe, as started
        talking.process.stdin.close()
        ended = await talking.ended()
    assert ended.status == 1
    assert ended.stderr.count("message_too_large") == 1
    assert "16,001 characters, where 16,000 are the limit" in ended.stderr
    assert "tokens" not in ended.stdout


@pytest.mark.row("D11")
async def test_a_spoken_talk_that_nobody_would_listen_to_is_refused(still: Path) -> None:
    environment = {"COUCHVOICE_TURN_DETECTION": "none"}
    ended = await run("talk", "--input", str(still), "--output", "none", "--json", environment=environment)
    assert ended.status == 2
    (error,) = ended.of("error")
    assert "COUCHVOICE_TURN_DETECTION" in error["message"]
    assert "state" not in {line["type"] for line in ended.lines}


@pytest.mark.row("D11")
async def test_where_a_backend_leaves_turns_to_a_button_the_user_is_told(
    realtime: str, secret: str, still: Path
) -> None:
    config = SESSION_CONFIG | {"audio": {"input": {"turn_detection": None}}}
    fault = Fault(200, json.dumps({"client_secret": secret, "session_config": config}))
    with MinimalBackend(secret=secret, faults={"session": fault}) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        async with started("talk", *ends, "--input", str(still), "--output", "none", "--json") as talking:
            await talking.line_with(type="state", state="listening")
            talking.type("Good morning.")
            await talking.line_with(type="state", state="assistant_speaking")
            talking.send(signal.SIGINT)
            ended = await talking.ended()
    assert "here is none: type, and press Enter" in ended.stderr
