"""What goes out is JSON, whatever went in."""

from __future__ import annotations

import json

import pytest

from couchvoice.core.client_events import (
    ClientEvent,
    FunctionCallOutput,
    InputClear,
    InputCommit,
    InputText,
    ItemCreate,
    OutputBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
    UserMessage,
    encode_client_event,
    encode_output,
    sendable,
)
from couchvoice.core.ids import Ids


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ResponseCreate("e"), {"type": "response.create", "event_id": "e"}),
        (ResponseCancel("e"), {"type": "response.cancel", "event_id": "e"}),
        (OutputBufferClear("e"), {"type": "output_audio_buffer.clear", "event_id": "e"}),
        (InputCommit("e"), {"type": "input_audio_buffer.commit", "event_id": "e"}),
        (InputClear("e"), {"type": "input_audio_buffer.clear", "event_id": "e"}),
        (
            SessionUpdate("e", {"type": "realtime", "audio": {"input": {"turn_detection": None}}}),
            {
                "type": "session.update",
                "event_id": "e",
                "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
            },
        ),
        (
            ItemCreate("e", UserMessage("i", (InputText("Grüße"),))),
            {
                "type": "conversation.item.create",
                "event_id": "e",
                "item": {
                    "type": "message",
                    "id": "i",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Grüße"}],
                },
            },
        ),
        (
            ItemCreate("e", FunctionCallOutput("c", "{}")),
            {
                "type": "conversation.item.create",
                "event_id": "e",
                "item": {"type": "function_call_output", "call_id": "c", "output": "{}"},
            },
        ),
    ],
)
def test_an_event_is_encoded_as_the_reference_has_it(event: ClientEvent, expected: object) -> None:
    assert json.loads(encode_client_event(event)) == expected


def test_a_tools_output_keeps_its_letters() -> None:
    assert encode_output({"text": "Grüße", "n": 1}) == '{"text": "Grüße", "n": 1}'


def test_an_output_that_json_does_not_know_is_described() -> None:
    assert encode_output({"at": 1j}) == '{"at": "1j"}'


def test_broken_bytes_from_a_terminal_can_be_sent() -> None:
    text = sendable("caf\udce9")
    assert text == "caf?"
    assert "caf?" in encode_client_event(ItemCreate("e", UserMessage("i", (InputText(text),))))
    assert encode_output({"text": "caf\udce9"}) == '{"text": "caf?"}'


def test_ids_differ_within_a_session_and_between_sessions() -> None:
    one, other = Ids("a"), Ids("b")
    names = [one.event(), one.event(), one.item(), other.event(), other.item()]
    assert len(set(names)) == len(names)
