"""The conversation items that a client may create.

Law: what comes out is an item of the API and nothing else: unknown fields are left out, and sound stands beside it,
because items are sent back on a data channel that takes no more than 256 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from couchvoice.local.protocol.bad_event import BadEvent, checked
from couchvoice.local.protocol.conversation import ItemDict

MAX_ITEM = 200 * 1024  # bytes of JSON; an event that holds it must fit the channel

_ItemId = Annotated[str, Meta(min_length=1, max_length=64)]


class _InputText(msgspec.Struct, tag_field="type", tag="input_text"):
    text: str


class _InputAudio(msgspec.Struct, tag_field="type", tag="input_audio", omit_defaults=True):
    audio: str | None = None
    transcript: str | None = None


class _InputImage(msgspec.Struct, tag_field="type", tag="input_image", omit_defaults=True):
    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


class _OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    text: str


class _OutputAudio(msgspec.Struct, tag_field="type", tag="output_audio", omit_defaults=True):
    transcript: str | None = None


class _UserMessage(msgspec.Struct, tag_field="type", tag="message", omit_defaults=True):
    role: Literal["user"]
    content: list[_InputText | _InputAudio | _InputImage]
    id: _ItemId | None = None


class _AssistantMessage(msgspec.Struct, tag_field="type", tag="message", omit_defaults=True):
    role: Literal["assistant"]
    content: list[_OutputText | _OutputAudio]
    id: _ItemId | None = None


class _SystemMessage(msgspec.Struct, tag_field="type", tag="message", omit_defaults=True):
    role: Literal["system"]
    content: list[_InputText]
    id: _ItemId | None = None


class _FunctionCall(msgspec.Struct, tag_field="type", tag="function_call", omit_defaults=True):
    call_id: str
    name: str
    arguments: str
    id: _ItemId | None = None


class _FunctionCallOutput(msgspec.Struct, tag_field="type", tag="function_call_output", omit_defaults=True):
    call_id: str
    output: str
    id: _ItemId | None = None


class ItemReference(msgspec.Struct, tag_field="type", tag="item_reference"):
    """Stands for an item of the conversation in the ``input`` of a response."""

    id: _ItemId


class _Kind(msgspec.Struct):
    type: Literal["message", "function_call", "function_call_output"]


class _Role(msgspec.Struct):
    role: Literal["user", "assistant", "system"]


_MESSAGES = {"user": _UserMessage, "assistant": _AssistantMessage, "system": _SystemMessage}
_OTHERS = {"function_call": _FunctionCall, "function_call_output": _FunctionCallOutput}


def check_item(raw: Mapping[str, Any], param: str = "item") -> tuple[ItemDict, list[str]]:
    """The item, its ``id`` only if the client gave one; and, in base64, its sound whose words nobody has told.

    Raises BadEvent.
    """
    kind: str = checked(raw, _Kind, param=param).type
    shape: object = _MESSAGES[checked(raw, _Role, param=param).role] if kind == "message" else _OTHERS[kind]
    item: ItemDict = msgspec.to_builtins(checked(raw, shape, param=param))
    sounding = [part for part in item.get("content", ()) if "audio" in part]
    sound = [audio for part in sounding if (audio := part.pop("audio")) and "transcript" not in part]
    if len(msgspec.json.encode(item)) > MAX_ITEM:
        raise BadEvent("invalid_value", f"The item is larger than {MAX_ITEM // 1024} KiB.", param)
    return item, sound
