"""What we tell the provider: the GA client events that the session sends.

Law: every event carries an ``event_id`` of ours, because an ``error`` that answers it names that id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec


class InputText(msgspec.Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class UserMessage(msgspec.Struct, frozen=True, tag_field="type", tag="message"):
    id: str
    content: tuple[InputText, ...]
    role: str = "user"


class FunctionCall(msgspec.Struct, frozen=True, tag_field="type", tag="function_call"):
    """A call that the model is told of as if it had made it. ``arguments`` and ``output`` are JSON."""

    call_id: str
    name: str
    arguments: str


class FunctionCallOutput(msgspec.Struct, frozen=True, tag_field="type", tag="function_call_output"):
    call_id: str
    output: str


class ItemCreate(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.create"):
    event_id: str
    item: UserMessage | FunctionCall | FunctionCallOutput


class ResponseCreate(msgspec.Struct, frozen=True, tag_field="type", tag="response.create"):
    event_id: str


class ResponseCancel(msgspec.Struct, frozen=True, tag_field="type", tag="response.cancel"):
    event_id: str


class OutputBufferClear(msgspec.Struct, frozen=True, tag_field="type", tag="output_audio_buffer.clear"):
    """WebRTC and SIP only: the server throws away what it has not played yet."""

    event_id: str


class InputCommit(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.commit"):
    """What was said since the last commit or clear becomes an item of the user's."""

    event_id: str


class InputClear(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.clear"):
    event_id: str


class SessionUpdate(msgspec.Struct, frozen=True, tag_field="type", tag="session.update"):
    """``session`` is a GA partial session: what it does not name stays as it is."""

    event_id: str
    session: dict[str, Any]


ClientEvent = (
    ItemCreate | ResponseCreate | ResponseCancel | OutputBufferClear | InputCommit | InputClear | SessionUpdate
)

_encode = msgspec.json.Encoder().encode


def encode_client_event(event: ClientEvent) -> str:
    """The JSON text for the data channel."""
    return _encode(event).decode()


def encode_output(output: Mapping[str, Any] | None) -> str:
    """A tool's output as the text that the model reads. Never raises: what JSON does not know is described."""
    return sendable(json.dumps(output, ensure_ascii=False, default=str))


def sendable(text: str) -> str:
    """The text without what UTF-8 cannot carry, such as the broken bytes that a terminal hands on as surrogates."""
    return text.encode("utf-8", "replace").decode()
