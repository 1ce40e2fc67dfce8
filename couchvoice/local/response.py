"""One response of the local server: its life as a stream of events, from created to done.

Law: every part that begins also ends, with the response, whatever ends it: ``…done`` events come for each ``…added``.
The order is that of the API reference: output item, conversation item, content part, deltas, and back out again.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from couchvoice.local.conversation import Conversation, ItemDict
from couchvoice.local.replies import Call, Reply, Say

_SENTENCE = re.compile(r"[^.!?]+[.!?]*\s*")
_WORD = re.compile(r"\S+\s*")

EmitEvent = Callable[..., None]


class Response:
    """``emit(type, **fields)`` sends an event; ``new_id(prefix)`` makes an id."""

    def __init__(
        self,
        response_id: str,
        *,
        emit: EmitEvent,
        new_id: Callable[[str], str],
        conversation: Conversation,
        modalities: list[str],
        voice: str,
        metadata: Mapping[str, str] | None,
    ) -> None:
        self.id = response_id
        self.waits = False  # for the words that it is to answer
        self.message: ItemDict | None = None  # the message that is being spoken
        self._emit = emit
        self._new_id = new_id
        self._conversation = conversation
        self._modalities = modalities
        self._voice = voice
        self._metadata = metadata
        self._output: list[ItemDict] = []
        self._parts: deque[Say | Call] = deque()
        self._sentences: deque[str] = deque()
        self._spoken = ""
        self._status = "in_progress"
        self._emit("response.created", response=self._as_dict())

    @property
    def speaks(self) -> bool:
        return "audio" in self._modalities

    @property
    def last_message_id(self) -> str | None:
        return next((str(item["id"]) for item in reversed(self._output) if item["type"] == "message"), None)

    def begin(self, reply: Reply) -> None:
        self._parts = deque(reply.parts)

    def next_sentence(self) -> str | None:
        """The next words to be spoken, after all that needs no voice. None: everything is said, it is done."""
        while True:
            if self._sentences:
                return self._sentences.popleft()
            if self.message is not None:
                self._end_message("completed")
            if not self._parts:
                self.end("completed")
                return None
            match self._parts.popleft():
                case Say(text):
                    self._begin_message()
                    self._sentences = deque(_SENTENCE.findall(text))
                case Call(name, arguments):
                    self._call(name, arguments)

    def say(self, sentence: str) -> None:
        """The words of a sentence, as deltas."""
        kind = "response.output_audio_transcript.delta" if self.speaks else "response.output_text.delta"
        for word in _WORD.findall(sentence):
            self._spoken += word
            self._emit(kind, **self._place(), delta=word)

    def end(self, status: str, *, reason: str | None = None) -> None:
        """``response.done``. ``reason`` is turn_detected or client_cancelled."""
        if self.message is not None:
            self._end_message("incomplete")
        self._status = status
        details = {"type": status, "reason": reason} if reason else None
        self._emit("response.done", response=self._as_dict() | {"status_details": details})
        self._emit(
            "rate_limits.updated",
            rate_limits=[{"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06}],
        )

    def _begin_message(self) -> None:
        self.message = {
            "id": self._new_id("item"),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        self._spoken = ""
        self._add(self.message)
        self._emit("response.content_part.added", **self._place(), part=self._part())

    def _end_message(self, status: str) -> None:
        message, place = self.message, self._place()
        assert message is not None  # both callers have looked
        words = self._spoken.strip()
        if self.speaks:
            self._emit("response.output_audio.done", **place)
            self._emit("response.output_audio_transcript.done", **place, transcript=words)
            message["content"] = [{"type": "output_audio", "transcript": words}]
        else:
            self._emit("response.output_text.done", **place, text=words)
            message["content"] = [{"type": "output_text", "text": words}]
        self._emit("response.content_part.done", **place, part=self._part())
        self._finish(message, status)
        self.message = None

    def _call(self, name: str, arguments: Mapping[str, Any]) -> None:
        item: ItemDict = {
            "id": self._new_id("item"),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": self._new_id("call"),
            "name": name,
            "arguments": "",
        }
        self._add(item)
        place = {"response_id": self.id, "item_id": item["id"], "output_index": len(self._output) - 1}
        text = json.dumps(arguments)
        self._emit("response.function_call_arguments.delta", **place, call_id=item["call_id"], delta=text)
        item["arguments"] = text
        self._emit("response.function_call_arguments.done", **place, call_id=item["call_id"], name=name, arguments=text)
        self._finish(item, "completed")

    def _add(self, item: ItemDict) -> None:
        self._output.append(item)
        index = len(self._output) - 1
        self._emit("response.output_item.added", response_id=self.id, output_index=index, item=dict(item))
        previous = self._conversation.add(item)
        self._emit("conversation.item.added", previous_item_id=previous, item=dict(item))

    def _finish(self, item: ItemDict, status: str) -> None:
        item["status"] = status
        index = self._output.index(item)
        self._emit("response.output_item.done", response_id=self.id, output_index=index, item=dict(item))
        self._emit("conversation.item.done", item=dict(item))

    def _place(self) -> dict[str, Any]:
        assert self.message is not None  # only between _begin_message and _end_message
        return {
            "response_id": self.id,
            "item_id": self.message["id"],
            "output_index": self._output.index(self.message),
            "content_index": 0,
        }

    def _part(self) -> dict[str, str]:
        words = self._spoken.strip()
        return {"type": "audio", "transcript": words} if self.speaks else {"type": "text", "text": words}

    def _as_dict(self) -> dict[str, Any]:
        running = self._status == "in_progress"
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": self._status,
            "status_details": None,
            "output": [dict(item) for item in self._output],
            "output_modalities": self._modalities,
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": self._voice}},
            "metadata": self._metadata,
            "usage": None if running else self._usage(),
        }

    def _usage(self) -> dict[str, Any]:
        words = sum(len(list(_words(item))) for item in self._output)
        heard = sum(len(list(_words(item))) for item in self._conversation)
        text, audio = (0, words) if self.speaks else (words, 0)
        return {
            "total_tokens": heard + words,
            "input_tokens": heard,
            "output_tokens": words,
            "input_token_details": {"text_tokens": heard, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": text, "audio_tokens": audio},
        }


def _words(item: ItemDict) -> Iterator[str]:
    for part in item.get("content") or ():
        yield from str(part.get("transcript") or part.get("text") or "").split()
    yield from str(item.get("arguments") or item.get("output") or "").split()
