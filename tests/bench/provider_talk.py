"""ProviderTalk: the messages of a whole talk on ``oai-events``, as a provider sends them, in their proportions.

Each turn is an utterance with a streamed transcript and an answer of some sentences; each third one calls a tool
first. Word by word, so that nine in ten messages are small ones. Law: the same talk each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]

TURNS = 12
TOOL_EVERY = 3  # turns
QUESTION = "Could you please tell me what I should do when I cannot sleep again tonight?"
ANSWER = (
    "Try to keep the room dark and cool, and put the phone away an hour before you go to bed. If you still lie awake "
    "after twenty minutes, get up, sit in another room with a dim light, and do something quiet until you feel tired. "
    "Slow breathing helps as well: in for four seconds, out for six, and let your shoulders sink each time."
)
TOOL = {"name": "show_memory_status", "arguments": "{}"}
SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime-2.1",
    "instructions": "You are a calm voice for the small hours. " * 40,
    "output_modalities": ["audio"],
    "tools": [
        {
            "type": "function",
            "name": f"tool_{number}",
            "description": "Does something.",
            "parameters": {"type": "object"},
        }
        for number in range(8)
    ],
}
USAGE = {
    "total_tokens": 1280,
    "input_tokens": 1040,
    "output_tokens": 240,
    "input_token_details": {"text_tokens": 640, "audio_tokens": 400, "cached_tokens": 512},
    "output_token_details": {"text_tokens": 60, "audio_tokens": 180},
}


def messages() -> list[str]:
    """The texts, in order."""
    return [json.dumps({"event_id": f"event_{number:06}", **event}) for number, event in enumerate(_talk())]


def _talk() -> Iterator[Event]:
    yield {"type": "session.created", "session": SESSION}
    for turn in range(1, TURNS + 1):
        yield from _utterance(f"item_u{turn}", f"item_a{turn - 1}" if turn > 1 else None)
        if turn % TOOL_EVERY == 0:
            yield from _tool_call(f"resp_t{turn}", f"item_t{turn}", f"call_{turn}")
        yield from _answer(f"resp_a{turn}", f"item_a{turn}", f"item_u{turn}")


def _utterance(item_id: str, previous: str | None) -> Iterator[Event]:
    item: Event = {"id": item_id, "object": "realtime.item", "type": "message", "role": "user", "status": "completed"}
    yield {"type": "input_audio_buffer.speech_started", "audio_start_ms": 1000, "item_id": item_id}
    yield {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 4000, "item_id": item_id}
    yield {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": previous}
    item |= {"content": [{"type": "input_audio", "transcript": None}]}
    yield {"type": "conversation.item.added", "previous_item_id": previous, "item": item}
    yield {"type": "conversation.item.done", "previous_item_id": previous, "item": item}
    transcription = "conversation.item.input_audio_transcription"
    place = {"item_id": item_id, "content_index": 0}
    for word in QUESTION.split():
        yield {"type": f"{transcription}.delta", **place, "delta": f"{word} "}
    usage = {"type": "duration", "seconds": 3}
    yield {"type": f"{transcription}.completed", **place, "transcript": QUESTION, "usage": usage}


def _tool_call(response_id: str, item_id: str, call_id: str) -> Iterator[Event]:
    item = {"id": item_id, "object": "realtime.item", "type": "function_call", "call_id": call_id, **TOOL}
    finished = item | {"status": "completed"}
    place = {"response_id": response_id, "item_id": item_id, "output_index": 0}
    yield {"type": "response.created", "response": _response(response_id, "in_progress", [])}
    yield from _added(response_id, item | {"status": "in_progress", "arguments": ""}, None)
    yield {"type": "response.function_call_arguments.delta", **place, "call_id": call_id, "delta": TOOL["arguments"]}
    yield {"type": "response.function_call_arguments.done", **place, "call_id": call_id, **TOOL}
    yield from _finished(response_id, finished)
    yield from _done(response_id, finished)


def _answer(response_id: str, item_id: str, previous: str) -> Iterator[Event]:
    item = {"id": item_id, "object": "realtime.item", "type": "message", "role": "assistant", "content": []}
    finished = item | {"status": "completed", "content": [{"type": "output_audio", "transcript": ANSWER}]}
    place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": _response(response_id, "in_progress", [])}
    yield from _added(response_id, item | {"status": "in_progress"}, previous)
    yield {"type": "response.content_part.added", **place, "part": {"type": "audio", "transcript": ""}}
    yield {"type": "output_audio_buffer.started", "response_id": response_id}
    for word in ANSWER.split():
        yield {"type": "response.output_audio_transcript.delta", **place, "delta": f"{word} "}
    yield {"type": "response.output_audio.done", **place}
    yield {"type": "response.output_audio_transcript.done", **place, "transcript": ANSWER}
    yield {"type": "response.content_part.done", **place, "part": {"type": "audio", "transcript": ANSWER}}
    yield from _finished(response_id, finished)
    yield from _done(response_id, finished)
    yield {"type": "output_audio_buffer.stopped", "response_id": response_id}


def _added(response_id: str, item: Event, previous: str | None) -> Iterator[Event]:
    yield {"type": "response.output_item.added", "response_id": response_id, "output_index": 0, "item": item}
    yield {"type": "conversation.item.added", "previous_item_id": previous, "item": item}


def _finished(response_id: str, item: Event) -> Iterator[Event]:
    yield {"type": "response.output_item.done", "response_id": response_id, "output_index": 0, "item": item}
    yield {"type": "conversation.item.done", "previous_item_id": None, "item": item}


def _done(response_id: str, item: Event) -> Iterator[Event]:
    response = _response(response_id, "completed", [item]) | {"usage": USAGE}
    yield {"type": "response.done", "response": response}
    limits = [
        {"name": name, "limit": 40_000, "remaining": 39_000, "reset_seconds": 0.1} for name in ("requests", "tokens")
    ]
    yield {"type": "rate_limits.updated", "rate_limits": limits}


def _response(response_id: str, status: str, output: list[Event]) -> Event:
    return {
        "object": "realtime.response",
        "id": response_id,
        "status": status,
        "status_details": None,
        "output": output,
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "usage": None,
        "metadata": None,
    }
