"""What the user's side of a dialogue may be told to do: time out, listen only, wait longer or shorter."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.local.protocol.client_event import OutputClear
from couchvoice.local.protocol.orders import Detect, Think, Transcribe
from couchvoice.local.protocol.session_object import SEMANTIC_SILENCE_MS
from tests.local.staged import GREETING, Stage, types

IDLE_MS = 5000
TICK_MS = 20
DETECTION = {"type": "server_vad", "idle_timeout_ms": IDLE_MS}
IDLE: dict[str, Any] = {"audio": {"input": {"transcription": {"model": "any"}, "turn_detection": DETECTION}}}


def pass_time(stage: Stage, ms: int) -> list[str]:
    told = []
    for _ in range(ms // TICK_MS):
        stage.clock += TICK_MS
        told += types(stage.take(stage.dialogue.time_passed(stage.clock)))
    return told


def test_nobody_is_idle_before_the_first_answer() -> None:
    assert pass_time(Stage(IDLE), 3 * IDLE_MS) == []


def test_after_an_answer_was_heard_out_silence_is_answered() -> None:
    stage = Stage(IDLE)
    stage.say(GREETING)
    stage.answer()
    assert pass_time(stage, 2 * IDLE_MS) == []  # it still sounds
    stage.drain()
    assert pass_time(stage, IDLE_MS) == []
    assert pass_time(stage, 2 * TICK_MS) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
    ]
    times = stage.last("input_audio_buffer.timeout_triggered")
    assert times["audio_end_ms"] - times["audio_start_ms"] == pytest.approx(IDLE_MS, abs=2 * TICK_MS)
    (order,) = stage.pending(Think)
    assert (order.question.heard, order.question.idle) == ("", True)
    assert not stage.pending(Transcribe)


def test_who_speaks_in_time_is_not_idle() -> None:
    stage = Stage(IDLE)
    stage.say(GREETING)
    stage.answer()
    stage.drain()
    pass_time(stage, IDLE_MS // 2)
    stage.start_speaking()
    assert "input_audio_buffer.timeout_triggered" not in pass_time(stage, 2 * IDLE_MS)


def test_where_the_client_plays_the_sound_its_length_is_waited_for() -> None:
    stage = Stage(IDLE, foreign=OutputClear)
    stage.say(GREETING)
    stage.answer()
    length = 2 * 1000  # two sentences
    assert pass_time(stage, length + IDLE_MS) == []
    assert "input_audio_buffer.timeout_triggered" in pass_time(stage, 3 * TICK_MS)


@pytest.mark.row("D11")
@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_semantic_vad_waits_the_longer_the_less_eager_it_is(eagerness: str) -> None:
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    stage = Stage({"audio": {"input": {"turn_detection": detection}}})
    (order,) = stage.pending(Detect)
    assert order.silence_duration_ms == SEMANTIC_SILENCE_MS[eagerness]
    assert SEMANTIC_SILENCE_MS["high"] < SEMANTIC_SILENCE_MS["auto"] < SEMANTIC_SILENCE_MS["low"]


def test_a_transcription_session_tells_the_words_and_answers_nothing() -> None:
    stage = Stage({"type": "transcription"}, defaults={})
    session = stage.last("session.created")["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert "response.created" not in types(stage.say(GREETING))
    assert stage.last("conversation.item.input_audio_transcription.completed")["transcript"] == GREETING
    assert stage.refusal("response.create")["message"] == "A transcription session makes no responses."
    assert stage.refusal("session.update", session={"type": "realtime"})["param"] == "session.type"
    (event,) = stage.send(
        "session.update", session={"type": "transcription", "audio": {"input": {"turn_detection": None}}}
    )
    assert event["session"]["audio"]["input"]["turn_detection"] is None
