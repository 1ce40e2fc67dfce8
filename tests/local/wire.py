"""What any Realtime server may send, and in which order: the judge of every event that the local server emits.

Two judges: OpenAI's own types for one event, and the documented order (the life of a response, of an item, of the
output buffer) for a whole session. Law: it knows the protocol and nothing of our code.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

Event = dict[str, Any]

# Which events a transport does not have: each takes sound its own way.
WEBRTC_LACKS = "response.output_audio.delta"
WEBSOCKET_LACKS = "output_audio_buffer."

_MESSAGE_ENDS = (
    ["response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done"],
    ["response.output_text.done", "response.content_part.done"],
)


_accepted: set[bytes] = set()  # the same talk is held again and again, and validation takes most of its time


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(RealtimeServerEvent)


def validate(event: Event) -> None:
    """Raises ValidationError unless OpenAI's types accept the event's JSON, without converting anything."""
    text = msgspec.json.encode(event)
    if text not in _accepted:
        _adapter().validate_json(text, strict=True)
        _accepted.add(text)


def check_session(events: Iterable[Event], *, lacks: str = WEBRTC_LACKS) -> SessionJudge:
    """A whole session, to its last event: nothing may be left open but what still sounds."""
    judge = SessionJudge(lacks=lacks)
    for event in events:
        judge.see(event)
    judge.end()
    return judge


class SessionJudge:
    """``see`` each event as it comes; raises AssertionError at the first that is out of place."""

    def __init__(self, *, lacks: str = WEBRTC_LACKS) -> None:
        self._lacks = lacks
        self.items: list[str] = []  # the conversation, in order
        self.sounding: str | None = None
        self.response: _Response | None = None
        self.outside: dict[str, _Response] = {}  # those that are not of the conversation
        self._seen: set[str] = set()
        self._added: dict[str, Event] = {}  # items that are added and not done
        self._speech: str | None = None
        self._due: tuple[str, str] | None = None  # the event, and of which item, that must come next
        self._transcribed: set[str] = set()
        self._announced: set[str] = set()  # responses that had a content part
        self._over: set[str] = set()
        self._truncated: set[str] = set()

    def see(self, event: Event) -> None:
        validate(event)
        assert event["event_id"] not in self._seen, f"an event_id for the second time: {event}"
        assert self._seen or event["type"] == "session.created", f"the first event is no session.created: {event}"
        self._seen.add(event["event_id"])
        kind: str = event["type"]
        assert not kind.startswith(self._lacks), f"not on this transport: {kind}"
        due, self._due = self._due, None
        assert due in (None, (kind, _item_id(event))), f"{due} must come next, but this comes: {event}"
        if kind.startswith("response."):
            self._see_response(kind, event)
        elif kind.startswith("conversation.item."):
            self._see_item(kind.removeprefix("conversation.item."), event)
        elif kind.startswith("output_audio_buffer."):
            self._see_output(kind.removeprefix("output_audio_buffer."), event["response_id"])
        elif kind.startswith("input_audio_buffer."):
            self._see_input(kind.removeprefix("input_audio_buffer."), event)

    def end(self) -> None:
        assert self.response is None, "a response has not ended"
        assert not self.outside, "a response outside of the conversation has not ended"
        assert self._due is None, f"{self._due} is missing"
        assert not self._added, f"items are not done: {list(self._added)}"

    def _see_response(self, kind: str, event: Event) -> None:
        if kind == "response.created":
            self._see_beginning(event["response"])
            return
        response_id = event.get("response_id") or event["response"]["id"]
        response = self.outside.get(response_id, self.response)
        assert response is not None, f"{kind} outside a response"
        if kind == "response.content_part.added":
            self._announced.add(response.id)
        if kind == "response.output_audio_transcript.delta" and self.sounding is not None:
            assert self.sounding == response.id, "words of a response while another one sounds"
        response.see(kind, event)
        if kind == "response.output_item.added" and response is self.response:
            self._due = "conversation.item.added", _item_id(event)
        elif kind == "response.output_item.done" and _item_id(event) in self.items:
            self._due = "conversation.item.done", _item_id(event)
        elif kind == "response.done":
            self._over.add(response.id)
            self.outside.pop(response.id, None)
            self.response = None if response is self.response else self.response

    def _see_beginning(self, response: Event) -> None:
        assert response["status"] == "in_progress"
        if response["conversation_id"] is None:
            self.outside[response["id"]] = _Response(response["id"], self._truncated)
            return
        assert self.response is None, "a second response while one is active"
        self.response = _Response(response["id"], self._truncated)

    def _see_item(self, kind: str, event: Event) -> None:
        if kind == "added":
            item = event["item"]
            assert item["id"] not in self.items, f"{item['id']} is added twice"
            previous = event["previous_item_id"]
            self.items.insert(0 if previous is None else self.items.index(previous) + 1, item["id"])
            self._added[item["id"]] = event
            if item["status"] == "completed":
                self._due = "conversation.item.done", item["id"]
            elif item["type"] == "message":
                self._due = "response.content_part.added", item["id"]
        elif kind == "done":
            assert self._added.pop(event["item"]["id"], None), f"done, but never added: {event}"
            assert event["previous_item_id"] in (None, *self.items)
            if event["item"]["type"] != "message" or event["item"]["role"] != "assistant":
                assert event["item"]["status"] == "completed"
        elif kind == "deleted":
            self.items.remove(event["item_id"])
            self._added.pop(event["item_id"], None)
        elif kind == "retrieved":
            assert event["item"]["id"] in self.items
        else:
            assert event["item_id"] in self.items, f"{kind} of an item that is not there"
            if kind == "truncated":
                self._truncated.add(event["item_id"])
            if kind.endswith(("transcription.completed", "transcription.failed")):
                assert event["item_id"] not in self._transcribed, "transcribed twice"
                self._transcribed.add(event["item_id"])

    def _see_output(self, kind: str, response_id: str) -> None:
        if kind == "started":
            assert self.sounding is None, "two responses sound at once"
            assert response_id in self._announced, "sound before a content part"
            self.sounding = response_id
            return
        assert self.sounding == response_id, f"{kind}, but {self.sounding} sounds"
        assert kind == "cleared" or response_id in self._over, "stopped before response.done"
        self.sounding = None

    def _see_input(self, kind: str, event: Event) -> None:
        if kind == "speech_started":
            assert event["item_id"] not in self.items
            self._speech = event["item_id"]
        elif kind == "speech_stopped":
            assert self._speech in (None, event["item_id"], *self.items), "stopped is of another item than started"
            self._speech = event["item_id"]
            self._due = "input_audio_buffer.committed", event["item_id"]
        elif kind == "committed":
            assert self._speech in (None, event["item_id"], *self.items), "committed is of another item"
            assert event["item_id"] not in self.items
            assert event["previous_item_id"] == (self.items[-1] if self.items else None)
            self._speech, self._due = None, ("conversation.item.added", event["item_id"])


def _item_id(event: Event) -> str:
    return str(event["item"]["id"] if "item" in event else event.get("item_id"))


class _Response:
    """One response from created to done."""

    def __init__(self, response_id: str, truncated: set[str]) -> None:
        self.id = response_id
        self._truncated = truncated  # items whose text is gone
        self._done: list[Event] = []
        self._open: Event | None = None
        self._trail: list[str] = []  # what came within the open item
        self._text = ""

    def see(self, kind: str, event: Event) -> None:
        if kind == "response.done":
            self._see_end(event["response"])
            return
        assert event["response_id"] == self.id, f"{kind} of another response"
        assert event["output_index"] == len(self._done), f"{kind} of another output item"
        if kind == "response.output_item.added":
            assert self._open is None, "an item inside an item"
            assert event["item"]["status"] == "in_progress"
            self._open, self._trail, self._text = event["item"], [], ""
            return
        assert self._open is not None, f"{kind} outside an item"
        if kind == "response.output_item.done":
            self._see_item_end(event["item"])
            return
        assert event["item_id"] == self._open["id"], f"{kind} of another item"
        if kind.endswith(".delta"):
            assert self._trail in (["response.content_part.added"], []), "a delta after its done"
            if kind == "response.output_audio.delta":
                assert self._open["type"] == "message", f"{kind} in a {self._open['type']}"
            else:
                self._text += event["delta"]
        else:
            self._trail.append(kind)
            self._see_text(kind, event)
        if self._open["type"] == "message":
            assert self._trail[:1] == ["response.content_part.added"], f"{kind} before content_part.added"

    def _see_text(self, kind: str, event: Event) -> None:
        part = event.get("part", {})
        texts = [
            source[name] for source in (event, part) for name in ("transcript", "text", "arguments") if name in source
        ]
        if kind != "response.output_audio.done":
            assert texts == [self._text], f"{kind} has other words than its deltas"

    def _see_item_end(self, item: Event) -> None:
        assert self._open is not None  # see() has looked
        assert item["id"] == self._open["id"]
        assert item["status"] in ("completed", "incomplete")
        if item["type"] == "message":
            assert self._trail[1:] in _MESSAGE_ENDS, f"an item ends like this: {self._trail}"
            kept = "" if item["id"] in self._truncated else self._text
            assert [part.get("transcript", part.get("text")) for part in item["content"]] == [kept]
        else:
            assert self._trail == ["response.function_call_arguments.done"]
            assert item["arguments"] == self._text
        self._done.append(item)
        self._open = None

    def _see_end(self, response: Event) -> None:
        assert self._open is None, "response.done inside an item"
        assert response["id"] == self.id
        assert response["output"] == self._done
        assert response["status"] in ("completed", "cancelled", "failed", "incomplete")
        assert (response["status"] == "completed") == (response["status_details"] is None)
        usage = response["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert sum(usage["output_token_details"].values()) == usage["output_tokens"]
