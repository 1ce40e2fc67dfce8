"""A flat session sets what a nested one would, and is shown as it was set."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from couchvoice.local.protocol.beta_session import flattened, nested
from couchvoice.local.protocol.session_object import SessionObject
from tests.local.staged import EXPIRES_AT, TOOLS, TRANSCRIBES
from tests.local.wire import Event

SESSION: Event = {
    "modalities": ["audio", "text"],
    "instructions": "Be brief.",
    "voice": "verse",
    "speed": 1.25,
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1", "language": "en"},
    "input_audio_noise_reduction": None,
    "turn_detection": {"type": "server_vad", "threshold": 0.4},
    "tools": TOOLS,
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": 200,
}


@pytest.mark.row("O6")
def test_a_flat_session_is_set() -> None:
    session = SessionObject("sess_1", {}, EXPIRES_AT)
    session.update(nested(SESSION))
    inside = session.as_dict()["audio"]["input"]
    assert inside["format"] == {"type": "audio/pcmu"}
    assert inside["transcription"] == {"model": "whisper-1", "language": "en"}
    assert inside["turn_detection"]["threshold"] == 0.4
    assert (session.voice, session.speed, session.modalities) == ("verse", 1.25, ["audio"])
    assert (session.max_output_tokens, session.as_dict()["instructions"]) == (200, "Be brief.")


@pytest.mark.row("O6")
def test_what_was_set_is_shown() -> None:
    session = SessionObject("sess_1", nested(SESSION), EXPIRES_AT)
    shown = flattened(session.as_dict())
    assert shown["turn_detection"]["threshold"] == 0.4
    same = SESSION.keys() - {"turn_detection", "temperature"}  # which is completed, which GA has not
    assert {name: shown[name] for name in same} == {name: SESSION[name] for name in same}


def test_there_and_back_a_session_is_what_it_was() -> None:
    session = SessionObject("sess_1", TRANSCRIBES | {"tools": TOOLS, "max_output_tokens": 5}, EXPIRES_AT).as_dict()
    session["audio"]["input"]["turn_detection"].pop("idle_timeout_ms")  # beta has no such setting
    assert {"type": "realtime"} | nested(flattened(session)) == session


@pytest.mark.parametrize(
    ("flat", "deep"),
    [
        ({"modalities": ["text"]}, {"output_modalities": ["text"]}),
        ({"modalities": ["text", "audio"]}, {"output_modalities": ["audio"]}),
        ({"turn_detection": None}, {"audio": {"input": {"turn_detection": None}}}),
        ({"voice": "ash", "speed": 1}, {"audio": {"output": {"voice": "ash", "speed": 1}}}),
        ({"output_audio_format": "opus"}, {"audio": {"output": {"format": "opus"}}}),
        ({"input_audio_format": ["pcm16"]}, {"audio": {"input": {"format": ["pcm16"]}}}),
        ({"temperature": 0.8, "client_secret": {}}, {}),
        ({"audio": {"output": {"voice": "ash"}}, "speed": 1}, {"audio": {"output": {"voice": "ash", "speed": 1}}}),
        ({"audio": 3, "voice": "ash"}, {"audio": {"output": {"voice": "ash"}}}),
    ],
)
def test_each_setting_has_its_place(flat: dict[str, Any], deep: dict[str, Any]) -> None:
    before = copy.deepcopy(flat)
    assert nested(flat) == deep
    assert flat == before
