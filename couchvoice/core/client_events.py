"""What we tell the provider: the GA client events that the session sends.

Law: every event carries an ``event_id`` of ours, because an ``error`` that answers it names that id.
"""

from __future__ import annotations

import msgspec


class InputText(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class UserMessage(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    id: str
    content: tuple[InputText, ...]
    role: str = "user"


class FunctionCallOutput(msgspec.Struct, frozen=True, tag_field="type", tag="function_call_output"):
    call_id: str
    output: str


class ItemCreate(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.create"):
    event_id: str
    item: UserMessage | FunctionCallOutput


class ResponseCreate(msgspec.Struct, frozen=True, tag_field="type", tag="response.create"):
    event_id: str


class ResponseCancel(msgspec.Struct, frozen=True, tag_field="type", tag="response.cancel"):
    event_id: str


class OutputBufferClear(msgspec.Struct, frozen=True, tag_field="type", tag="output_audio_buffer.clear"):
    """WebRTC and SIP only: the server throws away what it has not played yet."""

    event_id: str


ClientEvent = ItemCreate | ResponseCreate | ResponseCancel | OutputBufferClear

_encode = msgspec.json.Encoder().encode


def encode_client_event(event: ClientEvent) -> str:
    """The JSON text for the data channel."""
    return _encode(event).decode()
