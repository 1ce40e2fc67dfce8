"""What the provider tells us: the GA server events that somebody acts on, as frozen structs.

Not a copy of the API reference: every other type is ``Unknown`` and kept whole for whoever records the session.
Law: parsing never raises. Fields that we don't know are ignored, a missing one makes the event ``Unknown``,
text that is no JSON object with a ``type`` is ``Malformed``. Field names are OpenAI's (API reference, Realtime).
"""

from __future__ import annotations

from typing import Any

import msgspec


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""
    type: str | None = None
    code: str | None = None
    event_id: str | None = None


class ContentPart(msgspec.Struct, frozen=True, kw_only=True):
    type: str | None = None
    text: str | None = None
    transcript: str | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation item: a message, a function call or its output."""

    id: str | None = None
    type: str | None = None
    role: str | None = None
    status: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None
    content: list[ContentPart] | None = None


class StatusDetails(msgspec.Struct, frozen=True, kw_only=True):
    reason: str | None = None
    error: ErrorDetail | None = None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    usage: Any = None  # read by usage.py, who does not lose the response if it is nonsense


class SessionCreated(msgspec.Struct, frozen=True, kw_only=True):
    session: dict[str, Any]


class SessionUpdated(msgspec.Struct, frozen=True, kw_only=True):
    session: dict[str, Any]


class SpeechStarted(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str


class SpeechStopped(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str


class InputCommitted(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str
    previous_item_id: str | None = None


class ItemAdded(msgspec.Struct, frozen=True, kw_only=True):
    item: Item
    previous_item_id: str | None = None


class InputTranscriptDelta(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str
    delta: str = ""


class InputTranscriptCompleted(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str
    transcript: str
    usage: Any = None  # as in Response


class InputTranscriptFailed(msgspec.Struct, frozen=True, kw_only=True):
    item_id: str
    error: ErrorDetail = ErrorDetail()


class ResponseCreated(msgspec.Struct, frozen=True, kw_only=True):
    response: Response


class ResponseDone(msgspec.Struct, frozen=True, kw_only=True):
    response: Response


class OutputItemAdded(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str
    item: Item
    output_index: int = 0


class OutputItemDone(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str
    item: Item
    output_index: int = 0


class AudioTranscriptDelta(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str
    delta: str
    output_index: int = 0
    content_index: int = 0


class AudioTranscriptDone(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str
    transcript: str
    output_index: int = 0
    content_index: int = 0


class TextDelta(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str
    delta: str
    output_index: int = 0
    content_index: int = 0


class TextDone(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str
    text: str
    output_index: int = 0
    content_index: int = 0


class OutputBufferStarted(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str


class OutputBufferStopped(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str


class OutputBufferCleared(msgspec.Struct, frozen=True, kw_only=True):
    response_id: str


class ErrorReported(msgspec.Struct, frozen=True, kw_only=True):
    error: ErrorDetail


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """An event that nobody acts on, or one of ours with a field missing. ``payload`` is the whole text."""

    type: str
    payload: str


class Malformed(msgspec.Struct, frozen=True, kw_only=True):
    """Not a JSON object with a ``type``."""

    reason: str


ServerEvent = (
    SessionCreated
    | SessionUpdated
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | ItemAdded
    | InputTranscriptDelta
    | InputTranscriptCompleted
    | InputTranscriptFailed
    | ResponseCreated
    | ResponseDone
    | OutputItemAdded
    | OutputItemDone
    | AudioTranscriptDelta
    | AudioTranscriptDone
    | TextDelta
    | TextDone
    | OutputBufferStarted
    | OutputBufferStopped
    | OutputBufferCleared
    | ErrorReported
    | Unknown
    | Malformed
)

_KNOWN: dict[str, type[ServerEvent]] = {
    "session.created": SessionCreated,
    "session.updated": SessionUpdated,
    "input_audio_buffer.speech_started": SpeechStarted,
    "input_audio_buffer.speech_stopped": SpeechStopped,
    "input_audio_buffer.committed": InputCommitted,
    "conversation.item.added": ItemAdded,
    "conversation.item.input_audio_transcription.delta": InputTranscriptDelta,
    "conversation.item.input_audio_transcription.completed": InputTranscriptCompleted,
    "conversation.item.input_audio_transcription.failed": InputTranscriptFailed,
    "response.created": ResponseCreated,
    "response.done": ResponseDone,
    "response.output_item.added": OutputItemAdded,
    "response.output_item.done": OutputItemDone,
    "response.output_audio_transcript.delta": AudioTranscriptDelta,
    "response.output_audio_transcript.done": AudioTranscriptDone,
    "response.output_text.delta": TextDelta,
    "response.output_text.done": TextDone,
    "output_audio_buffer.started": OutputBufferStarted,
    "output_audio_buffer.stopped": OutputBufferStopped,
    "output_audio_buffer.cleared": OutputBufferCleared,
    "error": ErrorReported,
}

# The beta protocol ended on 2026-05-12, but older self-hosted servers still speak it.
_BETA_ALIASES = {
    "conversation.item.created": "conversation.item.added",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}


class _Envelope(msgspec.Struct):
    type: str


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_DECODERS = {name: msgspec.json.Decoder(struct) for name, struct in _KNOWN.items()}
_DECODERS |= {beta: _DECODERS[ga] for beta, ga in _BETA_ALIASES.items()}


def parse_server_event(payload: str) -> ServerEvent:
    """Read one text message of ``oai-events``. Never raises: see ``Unknown`` and ``Malformed``."""
    # Deep nesting ends in RecursionError, a lone surrogate in UnicodeEncodeError (a ValueError).
    try:
        name = _read_envelope(payload).type
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        return Malformed(reason=type(exc).__name__)
    decoder = _DECODERS.get(name)
    if decoder is None:
        return Unknown(type=name, payload=payload)
    try:
        event: ServerEvent = decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Unknown(type=name, payload=payload)
    return event
