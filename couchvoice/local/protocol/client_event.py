"""The eleven client events, as a client may send them.

Not what they do: that is the dialogue's. Law: an event that gets past here has all its parameters, of the right type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from couchvoice.local.protocol.bad_event import checked

MAX_EVENT_ID = 512  # characters; OpenAI's limit

_Whole = Annotated[int, Meta(ge=0)]


class SessionUpdate(msgspec.Struct, frozen=True, tag_field="type", tag="session.update"):
    session: dict[str, Any]


class InputAppend(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.append"):
    audio: str


class InputCommit(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.commit"):
    pass


class InputClear(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.clear"):
    pass


class OutputClear(msgspec.Struct, frozen=True, tag_field="type", tag="output_audio_buffer.clear"):
    pass


class ItemCreate(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.create"):
    item: dict[str, Any]
    previous_item_id: str | None = None


class ItemRetrieve(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.retrieve"):
    item_id: str


class ItemTruncate(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.truncate"):
    item_id: str
    audio_end_ms: _Whole
    content_index: _Whole = 0


class ItemDelete(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.delete"):
    item_id: str


class ResponseCreate(msgspec.Struct, frozen=True, tag_field="type", tag="response.create"):
    response: dict[str, Any] | None = None


class ResponseCancel(msgspec.Struct, frozen=True, tag_field="type", tag="response.cancel"):
    response_id: str | None = None


ClientEvent = (
    SessionUpdate
    | InputAppend
    | InputCommit
    | InputClear
    | OutputClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
)


def check_event(raw: Mapping[str, Any]) -> ClientEvent:
    """Raises BadEvent."""
    event: ClientEvent = checked(raw, ClientEvent)
    return event


def event_id_of(raw: Mapping[str, Any]) -> str | None:
    """What an ``error`` that answers this event must name."""
    match raw.get("event_id"):
        case str(event_id) if len(event_id) <= MAX_EVENT_ID:
            return event_id
        case _:
            return None
