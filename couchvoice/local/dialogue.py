"""The dialogue: the mirror of ``core/session``. Client events and speech in, server events and orders out.

Pure: no I/O, no clock, no sound; the peer hears, thinks and speaks for it and feeds back what came of it.
Law: every client event is answered as the API reference says, or with an ``error`` that names it; one response at a
time; what the user says is answered when its words are known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from couchvoice.local.conversation import ROOT, Conversation, ItemDict, text_of
from couchvoice.local.orders import ClearInput, Detect, DetectNothing, Emit, Hush, Order, Speak, Think, Transcribe
from couchvoice.local.replies import Reply, ToolResult
from couchvoice.local.response import Response
from couchvoice.local.session_object import SessionObject

MIN_COMMIT_MS = 100  # OpenAI: a buffer must hold at least 100 ms of audio to be committed


class BadEvent(Exception):
    """A client event that cannot be served: becomes an ``error`` event, and the session lives."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(code, message, param)
        self.code = code
        self.message = message
        self.param = param


class Dialogue:
    """``key`` makes the ids of two calls differ."""

    def __init__(self, session: SessionObject, key: str) -> None:
        self._session = session
        self._key = key
        self._count = 0
        self._orders: list[Order] = []
        self._conversation = Conversation()
        self._response: Response | None = None  # the one between response.created and response.done
        self._sounding: Response | None = None  # the one between output_audio_buffer.started and its end
        self._drained = False  # nothing is queued for it at this moment
        self._speaking_item: str | None = None  # the user item that is being spoken
        self._input_from = 0  # ms: where what is not yet committed begins
        self._serve: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "session.update": self._session_update,
            "input_audio_buffer.append": self._input_append,
            "input_audio_buffer.commit": self._input_commit,
            "input_audio_buffer.clear": self._input_clear,
            "output_audio_buffer.clear": self._output_clear,
            "conversation.item.create": self._item_create,
            "conversation.item.retrieve": self._item_retrieve,
            "conversation.item.truncate": self._item_truncate,
            "conversation.item.delete": self._item_delete,
            "response.create": self._response_create,
            "response.cancel": self._response_cancel,
        }
        self._now_ms = 0
        self._heard_ms = 0

    def awaits(self, response_id: str) -> bool:
        """Whether this response is still being made."""
        return self._current(response_id) is not None

    # Facts

    def opened(self) -> list[Order]:
        """The channel is open."""
        self._emit("session.created", session=self._session.as_dict())
        self._order_detection()
        return self._take()

    def receive(self, message: str | bytes, *, now_ms: int, heard_ms: int) -> list[Order]:
        """A client event. ``now_ms``: the input clock; ``heard_ms``: how much of the present message was played."""
        self._now_ms, self._heard_ms = now_ms, heard_ms
        event: Any = None
        try:
            event = _parse(message)
            self._serve[_name(event, self._serve)](event)
        except BadEvent as bad:
            self._refuse(bad, event.get("event_id") if isinstance(event, dict) else None)
        return self._take()

    def speech_started(self, audio_start_ms: int, *, heard_ms: int) -> list[Order]:
        self._heard_ms = heard_ms
        self._speaking_item = self._new_id("item")
        self._emit("input_audio_buffer.speech_started", audio_start_ms=audio_start_ms, item_id=self._speaking_item)
        if self._detection.get("interrupt_response"):
            if self._response is not None:
                self._cancel("turn_detected")
            self._cut_sound()
        return self._take()

    def speech_stopped(self, audio_start_ms: int, audio_end_ms: int) -> list[Order]:
        item_id, self._speaking_item = self._speaking_item or self._new_id("item"), None
        self._emit("input_audio_buffer.speech_stopped", audio_end_ms=audio_end_ms, item_id=item_id)
        self._commit(item_id, audio_start_ms, audio_end_ms)
        if self._detection.get("create_response") and self._response is None:
            self._respond({})
        return self._take()

    def transcribed(self, item_id: str, text: str | None, *, seconds: float) -> list[Order]:
        """What the recognizer made of an item; None: nothing."""
        item = self._conversation.find(item_id)
        if item is None:
            return []
        item["content"][0]["transcript"] = text or ""
        if self._session.transcribes:
            self._tell_transcript(item_id, text, seconds)
        if self._response is not None:
            self._think_if_ready(self._response)
        return self._take()

    def replied(self, response_id: str, reply: Reply) -> list[Order]:
        if (response := self._current(response_id)) is not None:
            response.begin(reply)
            self._speak_on(response)
        return self._take()

    def sentence_queued(self, response_id: str, sentence: str) -> list[Order]:
        """The sound of a sentence is on its way out."""
        if (response := self._current(response_id)) is not None:
            self._drained = False
            response.say(sentence)
            self._speak_on(response)
        return self._take()

    def playback_started(self, response_id: str) -> list[Order]:
        """The first sample of a response is going out."""
        if (response := self._current(response_id)) is not None and self._sounding is None:
            self._sounding = response
            self._emit("output_audio_buffer.started", response_id=response_id)
        return self._take()

    def playback_drained(self) -> list[Order]:
        """Nothing is queued any more."""
        self._drained = True
        self._stop_sound_if_over()
        return self._take()

    # Client events

    def _session_update(self, event: Mapping[str, Any]) -> None:
        change = event.get("session")
        if not isinstance(change, dict):
            raise BadEvent("missing_required_parameter", "Missing required parameter: 'session'.", "session")
        before = self._session.turn_detection
        self._session.update(change)
        self._emit("session.updated", session=self._session.as_dict())
        if self._session.turn_detection != before:
            self._order_detection()

    def _input_append(self, event: Mapping[str, Any]) -> None:
        raise BadEvent("invalid_event_for_transport", "Over WebRTC the input is the audio track, not append.", "type")

    def _input_commit(self, event: Mapping[str, Any]) -> None:
        if self._now_ms - self._input_from < MIN_COMMIT_MS:
            held = self._now_ms - self._input_from
            raise BadEvent(
                "input_audio_buffer_commit_empty",
                f"Error committing input audio buffer: buffer too small. Expected at least 100ms, got {held}ms.",
            )
        self._commit(self._speaking_item or self._new_id("item"), self._input_from, self._now_ms)

    def _input_clear(self, event: Mapping[str, Any]) -> None:
        self._input_from = self._now_ms
        self._orders.append(ClearInput())
        self._emit("input_audio_buffer.cleared")

    def _output_clear(self, event: Mapping[str, Any]) -> None:
        self._cut_sound()

    def _item_create(self, event: Mapping[str, Any]) -> None:
        item = _checked_item(event.get("item"))
        item |= {"id": item.get("id") or self._new_id("item"), "object": "realtime.item", "status": "completed"}
        after = event.get("previous_item_id")
        if after is not None and after != ROOT and self._conversation.find(after) is None:
            raise BadEvent("item_not_found", f"There is no item {after!r}.", "previous_item_id")
        if self._conversation.find(item["id"]) is not None:
            raise BadEvent("item_already_exists", f"There is an item {item['id']!r} already.", "item.id")
        previous = self._conversation.add(item, after)
        self._emit("conversation.item.added", previous_item_id=previous, item=item)
        self._emit("conversation.item.done", previous_item_id=previous, item=item)

    def _item_retrieve(self, event: Mapping[str, Any]) -> None:
        self._emit("conversation.item.retrieved", item=self._named(event))

    def _item_delete(self, event: Mapping[str, Any]) -> None:
        item = self._named(event)
        self._conversation.remove(item)
        self._emit("conversation.item.deleted", item_id=item["id"])

    def _item_truncate(self, event: Mapping[str, Any]) -> None:
        item, end = self._named(event), event.get("audio_end_ms")
        if not isinstance(end, int) or end < 0:
            raise BadEvent("invalid_value", "audio_end_ms must be a whole number of ms.", "audio_end_ms")
        if item["type"] != "message" or item.get("role") != "assistant":
            raise BadEvent("invalid_value", "Only the assistant's messages can be truncated.", "item_id")
        self._truncate(item, end)

    def _response_create(self, event: Mapping[str, Any]) -> None:
        options = event.get("response") or {}
        if not isinstance(options, dict):
            raise BadEvent("invalid_type", "'response' must be an object.", "response")
        if self._response is not None:
            raise BadEvent(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._response.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        self._respond(options)

    def _response_cancel(self, event: Mapping[str, Any]) -> None:
        named = event.get("response_id")
        if self._response is None or named not in (None, self._response.id):
            raise BadEvent("response_cancel_not_active", "Cancellation failed: no active response found.")
        self._cancel("client_cancelled")

    # Small moves

    @property
    def _detection(self) -> Mapping[str, Any]:
        return self._session.turn_detection or {}

    def _commit(self, item_id: str, start_ms: int, end_ms: int) -> None:
        item: ItemDict = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        previous = self._conversation.add(item)
        self._input_from = end_ms
        self._emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        self._emit("conversation.item.added", previous_item_id=previous, item=item)
        self._emit("conversation.item.done", previous_item_id=previous, item=item)
        self._orders.append(Transcribe(item_id, start_ms, end_ms))

    def _tell_transcript(self, item_id: str, text: str | None, seconds: float) -> None:
        kind, place = "conversation.item.input_audio_transcription", {"item_id": item_id, "content_index": 0}
        if text is None:
            error = {"type": "transcription_error", "code": "audio_unintelligible", "message": "nothing recognized"}
            self._emit(f"{kind}.failed", **place, error=error)
            return
        self._emit(f"{kind}.delta", **place, delta=text)
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        self._emit(f"{kind}.completed", **place, transcript=text, usage=usage)

    def _respond(self, options: Mapping[str, Any]) -> None:
        modalities = options.get("output_modalities")
        self._response = Response(
            self._new_id("resp"),
            emit=self._emit,
            new_id=self._new_id,
            conversation=self._conversation,
            modalities=modalities if isinstance(modalities, list) else self._session.modalities,
            voice=self._session.voice,
            metadata=options.get("metadata"),
        )
        self._think_if_ready(self._response, fresh=True)

    def _think_if_ready(self, response: Response, *, fresh: bool = False) -> None:
        """Ask for the reply as soon as all words that it answers are known."""
        outputs = self._conversation.unanswered_outputs()
        messages = self._conversation.unanswered_messages() if not outputs else []
        if not (fresh or response.waits):
            return
        texts = [text_of(message) for message in messages]
        response.waits = None in texts
        if not response.waits:
            heard = " ".join(text for text in texts if text)
            results = tuple(self._result(output) for output in outputs)
            self._orders.append(Think(response.id, heard, results, self._session.tool_names))

    def _result(self, output: ItemDict) -> ToolResult:
        call = self._conversation.call(output["call_id"]) or {"name": "", "arguments": "{}"}
        return ToolResult(call["name"], _object(call["arguments"]), _object(output["output"]))

    def _speak_on(self, response: Response) -> None:
        while (sentence := response.next_sentence()) is not None:
            if response.speaks:
                self._orders.append(Speak(response.id, sentence, self._session.voice, self._session.speed))
                return
            response.say(sentence)
        self._response = None
        self._stop_sound_if_over()

    def _cancel(self, reason: str) -> None:
        response, self._response = self._response, None
        assert response is not None  # the callers have looked
        response.end("cancelled", reason=reason)

    def _cut_sound(self) -> None:
        """OpenAI: the server drops what it has not played, and truncates the item at what was heard."""
        self._orders.append(Hush())
        if self._sounding is None:
            return
        response, self._sounding = self._sounding, None
        self._emit("output_audio_buffer.cleared", response_id=response.id)
        item = self._conversation.find(response.last_message_id)
        if item is not None:
            self._truncate(item, self._heard_ms)

    def _truncate(self, item: ItemDict, audio_end_ms: int) -> None:
        for part in item["content"]:
            if part["type"] == "output_audio":
                part["transcript"] = ""
        self._emit("conversation.item.truncated", item_id=item["id"], content_index=0, audio_end_ms=audio_end_ms)

    def _stop_sound_if_over(self) -> None:
        if self._sounding is not None and self._sounding is not self._response and self._drained:
            self._emit("output_audio_buffer.stopped", response_id=self._sounding.id)
            self._sounding = None

    def _current(self, response_id: str) -> Response | None:
        return self._response if self._response is not None and self._response.id == response_id else None

    def _named(self, event: Mapping[str, Any]) -> ItemDict:
        if not isinstance(event.get("item_id"), str):
            raise BadEvent("missing_required_parameter", "Missing required parameter: 'item_id'.", "item_id")
        item = self._conversation.find(event["item_id"])
        if item is None:
            raise BadEvent("item_not_found", f"There is no item {event['item_id']!r}.", "item_id")
        return item

    def _order_detection(self) -> None:
        detection = self._session.turn_detection
        self._orders.append(
            Detect(
                threshold=float(detection.get("threshold") or 0.5),
                prefix_padding_ms=int(detection.get("prefix_padding_ms") or 0),
                silence_duration_ms=int(detection.get("silence_duration_ms") or 0),
            )
            if detection
            else DetectNothing()
        )

    def _refuse(self, bad: BadEvent, event_id: object) -> None:
        error = {"type": "invalid_request_error", "code": bad.code, "message": bad.message, "param": bad.param}
        self._emit("error", error=error | {"event_id": event_id if isinstance(event_id, str) else None})

    def _emit(self, kind: str, **fields: Any) -> None:
        self._count += 1
        self._orders.append(Emit({"type": kind, "event_id": f"event_{self._key}_{self._count}", **fields}))

    def _new_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._key}_{self._count}"

    def _take(self) -> list[Order]:
        orders, self._orders = self._orders, []
        return orders


def _parse(message: str | bytes) -> dict[str, Any]:
    try:
        event = json.loads(message)
    except (ValueError, RecursionError) as exc:
        raise BadEvent("invalid_json", f"The message is no JSON: {type(exc).__name__}.") from exc
    if not isinstance(event, dict):
        raise BadEvent("invalid_type", "The message is no JSON object.")
    return event


def _name(event: Mapping[str, Any], known: Mapping[str, object]) -> str:
    name = event.get("type")
    if name is None:
        raise BadEvent("missing_required_parameter", "Missing required parameter: 'type'.", "type")
    if not isinstance(name, str) or name not in known:
        raise BadEvent("invalid_value", f"Invalid value: {name!r}. Supported values are: {', '.join(known)}.", "type")
    return name


def _checked_item(item: object) -> ItemDict:
    """An item that a client may create. Raises BadEvent."""
    if not isinstance(item, dict):
        raise BadEvent("missing_required_parameter", "Missing required parameter: 'item'.", "item")
    match item:
        case {"type": "message", "role": "user" | "system" | "assistant", "content": list(content)}:
            if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in content):
                raise BadEvent("invalid_value", "Each content part needs a type.", "item.content")
        case {"type": "function_call_output", "call_id": str(), "output": str()}:
            pass
        case {"type": "function_call", "call_id": str(), "name": str(), "arguments": str()}:
            pass
        case _:
            raise BadEvent("invalid_value", "The item has no known type, or lacks a field of its type.", "item")
    return dict(item)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"output": text}
    return value if isinstance(value, dict) else {"output": value}
