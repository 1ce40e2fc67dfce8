"""What a session.update changes, what it leaves, and what it may not say."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.local.protocol.bad_event import BadEvent
from couchvoice.local.protocol.session_object import MAX_SESSION, SERVER_VAD, SessionObject
from tests.local.staged import EXPIRES_AT, Stage

# As the stock clients send them when they connect.
OF_THE_PYTHON_AGENTS = {
    "type": "realtime",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be kind.",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": {"type": "semantic_vad", "interrupt_response": True},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"},
    },
    "tools": [{"type": "function", "name": "t", "description": "", "parameters": {}, "strict": True}],
}
OF_THE_JAVASCRIPT_AGENTS = {
    "type": "realtime",
    "model": "some-model-of-next-year",
    "instructions": "",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": None,
            "transcription": {"model": "whisper-of-next-year"},
            "turn_detection": {"type": "semantic_vad", "eagerness": "high", "create_response": True},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "nobody-knows-it", "speed": 1},
    },
    "tool_choice": "auto",
    "tools": [],
    "tracing": None,
    "prompt": None,
}


def session(config: dict[str, Any] | None = None) -> SessionObject:
    return SessionObject("sess_1", config or {}, EXPIRES_AT)


def updated(*changes: dict[str, Any]) -> dict[str, Any]:
    of = session()
    for change in changes:
        of.update(change)
    return of.as_dict()


def audio(side: str, **fields: Any) -> dict[str, Any]:
    return {"audio": {side: fields}}


@pytest.mark.parametrize(
    "change",
    [
        OF_THE_PYTHON_AGENTS,
        OF_THE_JAVASCRIPT_AGENTS,
        {"type": "realtime", "model": "gpt-realtime", "tracing": "auto"},
        {"tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": 1}}},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 9}}},
        {"truncation": "disabled", "parallel_tool_calls": False, "reasoning": {"effort": "low"}},
        {"tool_choice": {"type": "function", "name": "t"}, "max_output_tokens": 4096},
        {"prompt": {"id": "p", "version": "1", "variables": {"a": "b"}}},
        {"include": ["item.input_audio_transcription.logprobs"]},
        audio("input", noise_reduction={"type": "far_field"}, format={"type": "audio/pcmu"}),
        audio("output", voice={"id": "voice_1"}, speed=0.25),
        {},
        {"id": "mine", "object": 5, "expires_at": 1},
    ],
)
@pytest.mark.row("D1")
def test_what_stock_clients_send_is_answered_by_session_updated(change: dict[str, Any]) -> None:
    stage = Stage()
    (event,) = stage.send("session.update", session=change)
    assert event["type"] == "session.updated"


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    before = session().as_dict()
    after = updated(audio("input", turn_detection={"type": "server_vad", "silence_duration_ms": 200}))
    assert after["audio"]["input"]["turn_detection"] == SERVER_VAD | {"silence_duration_ms": 200}
    after["audio"]["input"]["turn_detection"] = before["audio"]["input"]["turn_detection"]
    assert after == before


def test_a_detection_without_its_type_is_more_of_the_present_one() -> None:
    after = updated(audio("input", turn_detection={"threshold": 0.9}))
    assert after["audio"]["input"]["turn_detection"] == SERVER_VAD | {"threshold": 0.9}


def test_a_detection_of_another_type_begins_from_its_own_defaults() -> None:
    semantic = updated(audio("input", turn_detection={"type": "semantic_vad"}))["audio"]["input"]["turn_detection"]
    assert semantic["eagerness"] == "auto"
    assert "threshold" not in semantic
    again = updated(audio("input", turn_detection=None), audio("input", turn_detection={"type": "server_vad"}))
    assert again["audio"]["input"]["turn_detection"] == SERVER_VAD


def test_null_and_empty_clear() -> None:
    tools = [{"type": "function", "name": "t"}]
    after = updated(
        {"instructions": "x", "tools": tools, **audio("input", transcription={"model": "m", "language": "en"})},
        {"instructions": "", "tools": [], **audio("input", transcription=None, turn_detection=None)},
    )
    assert (after["instructions"], after["tools"]) == ("", [])
    assert (after["audio"]["input"]["transcription"], after["audio"]["input"]["turn_detection"]) == (None, None)


def test_a_transcription_is_replaced_as_a_whole() -> None:
    after = updated(
        audio("input", transcription={"model": "m", "language": "en"}), audio("input", transcription={"model": "n"})
    )
    assert after["audio"]["input"]["transcription"] == {"model": "n"}


def test_model_and_ids_stay() -> None:
    after = updated({"id": "x", "object": "y", "expires_at": 1, "model": "z"})
    assert {name: after[name] for name in ("id", "object", "expires_at", "model")} == {
        "id": "sess_1",
        "object": "realtime.session",
        "expires_at": int(EXPIRES_AT),
        "model": "gpt-realtime-2.1",
    }


def test_the_model_of_the_secret_counts() -> None:
    assert session({"model": "mine"}).as_dict()["model"] == "mine"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"modalities": ["audio"]}, "unknown_parameter", "session.modalities"),
        (audio("input", vad=1), "unknown_parameter", "session.audio.input.vad"),
        (audio("input", turn_detection={"type": "none"}), "invalid_value", "session.audio.input.turn_detection.type"),
        (
            audio("input", turn_detection={"threshold": 1.1}),
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            audio("input", turn_detection={"threshold": "high"}),
            "invalid_type",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            audio("input", turn_detection={"threshold": 10**4000}),
            "invalid_value",
            "session.audio.input.turn_detection.threshold",
        ),
        (
            audio("input", turn_detection={"silence_duration_ms": -1}),
            "invalid_value",
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        (
            audio("input", turn_detection={"prefix_padding_ms": 10**30}),
            "invalid_value",
            "session.audio.input.turn_detection.prefix_padding_ms",
        ),
        (
            audio("input", turn_detection={"create_response": 1}),
            "invalid_type",
            "session.audio.input.turn_detection.create_response",
        ),
        (
            audio("input", turn_detection={"type": "semantic_vad", "threshold": 0.5}),
            "unknown_parameter",
            "session.audio.input.turn_detection.threshold",
        ),
        (audio("input", transcription=True), "invalid_type", "session.audio.input.transcription"),
        (audio("input", format="pcm16"), "invalid_type", "session.audio.input.format"),
        (
            audio("input", format={"type": "audio/pcm", "rate": 8000}),
            "invalid_value",
            "session.audio.input.format.rate",
        ),
        (audio("output", speed=1.6), "invalid_value", "session.audio.output.speed"),
        (audio("output", speed=0), "invalid_value", "session.audio.output.speed"),
        (audio("output", voice=5), "invalid_type", "session.audio.output.voice"),
        (audio("output", voice=""), "invalid_value", "session.audio.output.voice"),
        ({"audio": None}, "invalid_type", "session.audio"),
        ({"tools": {}}, "invalid_type", "session.tools"),
        ({"tools": [5]}, "invalid_type", "session.tools[0]"),
        ({"tools": [{"type": "function"}]}, "missing_required_parameter", "session.tools[0].name"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "invalid_value", "session.tools[0].type"),
        ({"tool_choice": "sometimes"}, "invalid_value", "session.tool_choice"),
        ({"tool_choice": None}, "invalid_type", "session.tool_choice"),
        ({"output_modalities": []}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"max_output_tokens": 4097}, "invalid_value", "session.max_output_tokens"),
        ({"max_output_tokens": "many"}, "invalid_value", "session.max_output_tokens"),
        ({"instructions": None}, "invalid_type", "session.instructions"),
        ({"instructions": "x" * MAX_SESSION}, "invalid_value", "session"),
    ],
)
def test_a_wrong_update_is_refused_and_changes_nothing(change: dict[str, Any], code: str, param: str) -> None:
    of = session()
    before = of.as_dict()
    with pytest.raises(BadEvent) as raised:
        of.update({"speed": 1} if change is None else change)
    assert (raised.value.code, raised.value.param) == (code, param)
    assert of.as_dict() == before


def test_a_refused_update_is_told_with_its_event_id() -> None:
    stage = Stage()
    error = stage.refusal("session.update", session=audio("output", speed=7), event_id="e1")
    assert (error["code"], error["param"], error["event_id"]) == (
        "invalid_value",
        "session.audio.output.speed",
        "e1",
    )


def test_a_session_shown_is_a_copy() -> None:
    of = session()
    of.as_dict()["audio"]["output"]["voice"] = "changed"
    assert of.voice == "marin"


def test_a_response_sees_its_own_options_and_the_session_does_not() -> None:
    of = session()
    seen = of.for_response({"output_modalities": ["text"], "metadata": {"a": "b"}, "conversation": "auto"})
    assert (seen.modalities, of.modalities) == (["text"], ["audio"])
