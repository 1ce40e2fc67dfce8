"""Parsing: lenient, complete, and never a reason to die."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.core.server_events import (
    AudioTranscriptDelta,
    AudioTranscriptDone,
    ErrorReported,
    InputTranscriptCompleted,
    ItemAdded,
    Malformed,
    OutputBufferStarted,
    OutputItemDone,
    ResponseDone,
    SessionCreated,
    SpeechStarted,
    TextDelta,
    TextDone,
    Unknown,
    parse_server_event,
)


def parse(**event: Any) -> object:
    return parse_server_event(json.dumps(event))


def test_an_event_is_read_with_the_fields_that_somebody_acts_on() -> None:
    event = parse(type="input_audio_buffer.speech_started", event_id="event_1", item_id="item_1", audio_start_ms=40)
    assert event == SpeechStarted(item_id="item_1")


def test_fields_that_nobody_knows_are_ignored() -> None:
    event = parse(
        type="response.done",
        event_id="event_9",
        future={"deep": [1, 2, {"x": None}]},
        response={"id": "resp_1", "status": "completed", "phase": "final_answer", "usage": {"total_tokens": 5}},
    )
    assert isinstance(event, ResponseDone)
    assert event.response.usage == {"total_tokens": 5}


def test_a_call_is_read_with_its_arguments_as_text() -> None:
    item = {"id": "item_1", "type": "function_call", "name": "lookup", "call_id": "call_1", "arguments": '{"q":1}'}
    event = parse(type="response.output_item.done", response_id="resp_1", output_index=2, item=item)
    assert isinstance(event, OutputItemDone)
    assert (event.output_index, event.item.call_id, event.item.arguments) == (2, "call_1", '{"q":1}')


@pytest.mark.row("E1")
@pytest.mark.parametrize(
    ("beta", "fields", "expected"),
    [
        ("response.audio_transcript.delta", {"response_id": "r", "delta": "Hi"}, AudioTranscriptDelta),
        ("response.audio_transcript.done", {"response_id": "r", "transcript": "Hi"}, AudioTranscriptDone),
        ("response.text.delta", {"response_id": "r", "delta": "Hi"}, TextDelta),
        ("response.text.done", {"response_id": "r", "text": "Hi"}, TextDone),
        ("conversation.item.created", {"item": {"id": "item_1"}, "previous_item_id": None}, ItemAdded),
    ],
)
def test_a_beta_name_is_another_name_for_the_same_event(beta: str, fields: dict[str, Any], expected: type) -> None:
    assert isinstance(parse(type=beta, **fields), expected)


@pytest.mark.row("E1")
def test_an_unknown_event_is_kept_whole() -> None:
    payload = '{"type": "rate_limits.updated", "rate_limits": []}'
    assert parse_server_event(payload) == Unknown(type="rate_limits.updated", payload=payload)


def test_an_event_without_a_field_that_it_needs_is_unknown_not_wrong() -> None:
    payload = '{"type":"input_audio_buffer.speech_started"}'
    assert parse_server_event(payload) == Unknown(type="input_audio_buffer.speech_started", payload=payload)


@pytest.mark.row("E1")
@pytest.mark.parametrize(
    "payload",
    ["", "{", "null", "[]", '"text"', "17", "{}", '{"type": 5}', '{"type":"x"', '{"type":"x","n":NaN}', "\ud800"],
)
def test_what_is_no_object_with_a_type_is_malformed(payload: str) -> None:
    assert isinstance(parse_server_event(payload), Malformed)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"type":"error","error":' + "[" * 100_000 + "]" * 100_000 + "}", id="deep and closed"),
        pytest.param('{"type":"session.created","session":{"n":' + "9" * 5_000 + "}}", id="5000 digits"),
        pytest.param('{"type":"x","n":1e999999}', id="infinite"),
        pytest.param('{"type":"error","error":{"message":"\\ud800"}}', id="lone surrogate, escaped"),
        pytest.param('{"type":"error","error":{"message":"\udcff"}}', id="lone surrogate"),
        pytest.param('{"type":"x","text":"' + "a" * 1_000_000 + '"}', id="1 MB"),
        pytest.param("\0" * 1_000, id="zeros"),
    ],
)
def test_hostile_text_is_unknown_or_malformed(payload: str) -> None:
    assert isinstance(parse_server_event(payload), Unknown | Malformed)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"type":"session.created","session":{}}', SessionCreated),
        ('{"type":"error","error":{}}', ErrorReported),
        ('{"type":"output_audio_buffer.started","response_id":"r"}', OutputBufferStarted),
        (
            '{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":""}',
            InputTranscriptCompleted,
        ),
    ],
)
def test_the_least_that_a_server_may_send_is_enough(payload: str, expected: type) -> None:
    assert isinstance(parse_server_event(payload), expected)


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_parsing_raise(payload: str) -> None:
    msgspec.structs.asdict(parse_server_event(payload))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)
_TYPES = st.sampled_from(
    [
        "session.created",
        "conversation.item.added",
        "conversation.item.created",
        "response.created",
        "response.done",
        "response.output_item.done",
        "response.audio_transcript.delta",
        "output_audio_buffer.stopped",
        "error",
    ]
)
_FIELDS = st.sampled_from(
    ["item_id", "response_id", "item", "response", "session", "error", "delta", "previous_item_id"]
)


@settings(deadline=None)
@given(_TYPES, st.dictionaries(_FIELDS, _JSON))
def test_no_field_of_any_kind_makes_parsing_raise(name: str, fields: dict[str, Any]) -> None:
    msgspec.structs.asdict(parse_server_event(json.dumps({"type": name, **fields})))


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name not in ("type", "item_id")), _JSON))
def test_no_further_field_changes_what_is_read(fields: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(fields), parse_constant=lambda _: None)
    event = parse(type="input_audio_buffer.speech_started", item_id="item_1", **plain)
    assert event == SpeechStarted(item_id="item_1")
