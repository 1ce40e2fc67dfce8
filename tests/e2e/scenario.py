"""The language of the foreign Realtime end: complete GA event sequences, and when to send them.

Written from the protocol alone; nothing here knows our client. Law: every event in a ``send`` step is one that
OpenAI's own types accept, and ids are the same in every run. What no server should send goes out as ``raw``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

Event = dict[str, Any]
Step = dict[str, Any]
Trigger = str | dict[str, Any]

SECRET = "ek_foreign_end_1"
# Between the end of an utterance and the first word of the answer; a real model needs longer.
THINK_MS = 100
# What the client still plays when the end has sent its last sample: the network and two buffers.
DRAIN_MS = 100


@dataclass(frozen=True, slots=True)
class Say:
    """A spoken message."""

    text: str
    audio_ms: int = 600


@dataclass(frozen=True, slots=True)
class Call:
    """A function call."""

    name: str
    call_id: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Scenario:
    """Reactions of the foreign end, in the order of the talk."""

    secret: str = SECRET
    refuse: dict[str, Any] | None = None
    buffer_events: bool = True  # output_audio_buffer.*: some servers send none
    reactions: list[dict[str, Any]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _last_item: str | None = None

    def write(self, path: Path) -> Path:
        known = {"secret": self.secret, "reactions": self.reactions}
        path.write_text(json.dumps(known | ({"refuse": self.refuse} if self.refuse else {})), encoding="utf-8")
        return path

    def on(self, trigger: Trigger, *steps: Step) -> None:
        self.reactions.append({"on": trigger, "do": list(steps)})

    def event(self, kind: str, **fields: object) -> Step:
        """A step that sends one event."""
        return {"send": {"type": kind, "event_id": f"event_{next(self._numbers):04d}", **fields}}

    def session_created(self) -> Step:
        session = {"type": "realtime", "object": "realtime.session", "id": "sess_foreign", "model": "gpt-realtime-2.1"}
        return self.event("session.created", session=session)

    # The user's side of a turn.

    def speech_started(self, n: int) -> Step:
        return self.event("input_audio_buffer.speech_started", item_id=_user(n), audio_start_ms=n * 1000)

    def speech_committed(self, n: int) -> list[Step]:
        """From the end of an utterance to its item."""
        content = [{"type": "input_audio", "transcript": None}]
        item = {"id": _user(n), "object": "realtime.item", "type": "message", "role": "user", "content": content}
        previous, self._last_item = self._last_item, _user(n)
        return [
            self.event("input_audio_buffer.speech_stopped", item_id=_user(n), audio_end_ms=n * 1000 + 500),
            self.event("input_audio_buffer.committed", item_id=_user(n), previous_item_id=previous),
            self.event("conversation.item.added", item=item, previous_item_id=previous),
            self.event("conversation.item.done", item=item, previous_item_id=previous),
        ]

    def transcript(self, n: int, text: str) -> list[Step]:
        ids = {"item_id": _user(n), "content_index": 0}
        kind = "conversation.item.input_audio_transcription"
        usage = {"type": "duration", "seconds": 1}
        deltas = [self.event(f"{kind}.delta", **ids, delta=delta) for delta in _words(text)]
        return [*deltas, self.event(f"{kind}.completed", **ids, transcript=text, usage=usage)]

    def hear(self, n: int, *then: Step, meanwhile: Iterable[Step] = ()) -> None:
        """The nth utterance: its beginning, what happens ``meanwhile``, its end, and what comes ``then``."""
        self.on({"speech": n}, self.speech_started(n), *meanwhile)
        self.on({"utterance": n}, *self.speech_committed(n), {"wait_ms": THINK_MS}, *then)

    # The assistant's side.

    def response(self, name: str, *outputs: Say | Call) -> list[Step]:
        """A whole response, heard out."""
        steps = [self._created(name)]
        items = []
        for index, output in enumerate(outputs):
            item_steps, item = (
                self._say(name, index, output) if isinstance(output, Say) else self._call(name, index, output)
            )
            steps += item_steps
            items.append(item)
        steps += [self._done(name, items), self._rate_limits()]
        if audio_ms := sum(output.audio_ms for output in outputs if isinstance(output, Say)):
            steps += [{"wait_ms": audio_ms + DRAIN_MS}, *self._buffer("stopped", name)]
        return steps

    def begun(self, name: str, say: Say) -> list[Step]:
        """The first half of a response: it has these words and goes on sounding."""
        return [self._created(name), *self._say_begin(name, 0, say)]

    def cut_off(self, name: str, say: Say) -> list[Step]:
        """A response ``begun`` is spoken over: the server stops, cancels and truncates by itself."""
        ends, item = self._say_end(name, 0, say, status="incomplete")
        return [{"stop_audio": True}, *ends, self._cancelled(name, [item]), *self._cleared(name)]

    def spoken_over(self, name: str) -> list[Step]:
        """The response was done already, only its sound is cut."""
        return [{"stop_audio": True}, *self._cleared(name)]

    def half_a_call(self, name: str, call: Call, *, partial: str) -> tuple[list[Step], list[Step]]:
        """A call begun, and cut within its arguments: ``arguments.done`` comes all the same, with half the JSON."""
        ids = {"response_id": f"resp_{name}", "item_id": f"item_{name}_0", "output_index": 0, "call_id": call.call_id}
        item = _call_item(name, 0, call) | {"status": "incomplete", "arguments": partial}
        kind = "response.function_call_arguments"
        begins = [
            self._created(name),
            *self._item("added", name, 0, item | {"status": "in_progress", "arguments": ""}),
            self.event(f"{kind}.delta", **ids, delta=partial),
        ]
        ends = [
            self.event(f"{kind}.done", **ids, name=call.name, arguments=partial),
            *self._item("done", name, 0, item),
            self._cancelled(name, [item]),
        ]
        return begins, ends

    def coughed(self, name: str) -> tuple[list[Step], list[Step]]:
        """A response that server VAD begins and cancels before it has any output."""
        return [self._created(name)], [self._cancelled(name, [])]

    def error(self, code: str, message: str, *, kind: str = "invalid_request_error") -> Step:
        return self.event("error", error={"type": kind, "code": code, "message": message, "event_id": "$event_id"})

    # The parts.

    def _created(self, name: str) -> Step:
        return self.event("response.created", response=_response(name, "in_progress", []))

    def _done(self, name: str, items: list[Event]) -> Step:
        usage = {"total_tokens": 30, "input_tokens": 10, "output_tokens": 20}
        return self.event("response.done", response=_response(name, "completed", items) | {"usage": usage})

    def _cancelled(self, name: str, items: list[Event]) -> Step:
        details = {"type": "cancelled", "reason": "turn_detected"}
        return self.event("response.done", response=_response(name, "cancelled", items) | {"status_details": details})

    def _cleared(self, name: str) -> list[Step]:
        truncated = self.event(
            "conversation.item.truncated", item_id=f"item_{name}_0", content_index=0, audio_end_ms=900
        )
        return [*self._buffer("cleared", name), truncated]

    def _rate_limits(self) -> Step:
        limits = [{"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}]
        return self.event("rate_limits.updated", rate_limits=limits)

    def _buffer(self, state: str, name: str) -> list[Step]:
        return [self.event(f"output_audio_buffer.{state}", response_id=f"resp_{name}")] if self.buffer_events else []

    def _item(self, state: str, name: str, index: int, item: Event) -> list[Step]:
        previous = self._last_item if self._last_item != item["id"] else None
        self._last_item = item["id"]
        return [
            self.event(f"response.output_item.{state}", response_id=f"resp_{name}", output_index=index, item=item),
            self.event(f"conversation.item.{state}", item=item, previous_item_id=previous),
        ]

    def _say(self, name: str, index: int, say: Say) -> tuple[list[Step], Event]:
        end, item = self._say_end(name, index, say, status="completed")
        return [*self._say_begin(name, index, say), *end], item

    def _say_begin(self, name: str, index: int, say: Say) -> list[Step]:
        item = _message_item(name, index, say.text)
        ids = _part_ids(name, index)
        return [
            *self._item("added", name, index, item | {"status": "in_progress", "content": []}),
            self.event("response.content_part.added", **ids, part={"type": "audio", "transcript": ""}),
            *self._buffer("started", name),
            {"audio_ms": say.audio_ms},
            *(self.event("response.output_audio_transcript.delta", **ids, delta=delta) for delta in _words(say.text)),
        ]

    def _say_end(self, name: str, index: int, say: Say, *, status: str) -> tuple[list[Step], Event]:
        item = _message_item(name, index, say.text) | {"status": status}
        ids = _part_ids(name, index)
        steps = [
            self.event("response.output_audio.done", **ids),
            self.event("response.output_audio_transcript.done", **ids, transcript=say.text),
            self.event("response.content_part.done", **ids, part={"type": "audio", "transcript": say.text}),
            *self._item("done", name, index, item),
        ]
        return steps, item

    def _call(self, name: str, index: int, call: Call) -> tuple[list[Step], Event]:
        item = _call_item(name, index, call)
        ids = {"response_id": f"resp_{name}", "item_id": item["id"], "output_index": index, "call_id": call.call_id}
        text = item["arguments"]
        half = len(text) // 2
        kind = "response.function_call_arguments"
        steps = [
            *self._item("added", name, index, item | {"status": "in_progress", "arguments": ""}),
            *(self.event(f"{kind}.delta", **ids, delta=delta) for delta in (text[:half], text[half:])),
            self.event(f"{kind}.done", **ids, name=call.name, arguments=text),
            *self._item("done", name, index, item),
        ]
        return steps, item


@cache
def _server_event() -> TypeAdapter[Any]:
    from openai.types.realtime import RealtimeServerEvent

    return TypeAdapter(RealtimeServerEvent)


def validate(event: Event) -> None:
    """Raise pydantic's ValidationError unless OpenAI's own types know this event."""
    _server_event().validate_python(event)


def _user(n: int) -> str:
    return f"item_user_{n}"


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _part_ids(name: str, index: int) -> dict[str, Any]:
    return {
        "response_id": f"resp_{name}",
        "item_id": f"item_{name}_{index}",
        "output_index": index,
        "content_index": 0,
    }


def _message_item(name: str, index: int, text: str) -> Event:
    content = [{"type": "output_audio", "transcript": text}]
    known = {"id": f"item_{name}_{index}", "object": "realtime.item", "type": "message", "role": "assistant"}
    return {**known, "status": "completed", "content": content}


def _call_item(name: str, index: int, call: Call) -> Event:
    known = {"id": f"item_{name}_{index}", "object": "realtime.item", "type": "function_call", "status": "completed"}
    return {**known, "name": call.name, "call_id": call.call_id, "arguments": json.dumps(call.arguments)}


def _response(name: str, status: str, items: list[Event]) -> Event:
    known = {"id": f"resp_{name}", "object": "realtime.response", "conversation_id": "conv_foreign", "status": status}
    return {**known, "output": items, "output_modalities": ["audio"]}
