"""One response of the local server: its life as a stream of events, from created to done.

Law: every part that begins also ends, with the response, whatever ends it: ``…done`` events come for each ``…added``.
The order is that of the API reference: output item, conversation item, content part, deltas, and back out again.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from couchvoice.local.protocol.conversation import Conversation, ItemDict
from couchvoice.local.protocol.outgoing import Outgoing
from couchvoice.local.protocol.reply import Call, Part, Say
from couchvoice.local.protocol.session_object import SessionObject

_SENTENCE_END = re.compile(r"(?<=[.!?])(?=\s)")
_WORD = re.compile(r"\s*\S+")
_PIECE = 12  # characters of a call's arguments in one delta


class Response:
    """``session`` is as this response sees it: with what ``response.create`` asked for.

    ``context`` is what it answers, ``conversation`` is where its items go: the session's, or, for a response outside
    of that (``conversation: none``), one of its own that nobody is told of (``conversation_id`` None).
    """

    def __init__(
        self,
        response_id: str,
        *,
        session: SessionObject,
        metadata: Mapping[str, str] | None,
        context: Conversation,
        conversation: Conversation,
        conversation_id: str | None,
        outgoing: Outgoing,
        idle: bool,
    ) -> None:
        self.id = response_id
        self.idle = idle  # asked for because nobody said anything
        self.session = session
        self.context = context
        self.waits = True  # for the words that it is to answer
        self.speaking: str | None = None  # the sentence that is being made into sound, or whose sound has not begun
        self.held = False  # its sound is made, and has not begun
        self._message: ItemDict | None = None  # the message that is being spoken
        self._metadata = metadata
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._outgoing = outgoing
        self._output: list[ItemDict] = []
        self._parts: deque[Part] = deque()
        self._sentences: deque[str] = deque()
        self._words_left = session.token_limit
        self._calls = 0  # that were taken
        self._cut_short = False
        self._complete = False  # no more parts will come
        self._spoken = ""
        self._status = "in_progress"
        self._emit("response.created", response=self._as_dict())

    @property
    def over(self) -> bool:
        return self._status != "in_progress"

    @property
    def last_message_id(self) -> str | None:
        return next((str(item["id"]) for item in reversed(self._output) if item["type"] == "message"), None)

    def take(self, part: Part) -> None:
        """The next part of the reply, as much of it as ``max_output_tokens`` allows."""
        if self._cut_short or (isinstance(part, Call) and self._calls and not self.session.calls_in_parallel):
            return
        if isinstance(part, Call):
            self._calls += 1
        else:
            words = _WORD.findall(part.text.strip())
            kept = words[: self._words_left]
            self._words_left -= len(kept)
            self._cut_short = len(kept) < len(words)
            part = Say("".join(kept))
            if not part.text:
                return
        self._parts.append(part)

    def complete(self) -> None:
        """The reply has no more parts."""
        self._complete = True

    def next_sentence(self) -> str | None:
        """The next words to be spoken, after all that needs no voice. None: it is over, or more parts will come."""
        while not self._sentences:
            match self._parts.popleft() if self._parts else None:
                case Say(text):
                    self._sentences.extend(self._go_on(text))
                case Call(name, arguments):
                    self._end_message("completed")
                    self._call(name, arguments)
                case None:
                    if self._complete:
                        self._end_of_itself()
                    return None
        return self._sentences.popleft()

    def _go_on(self, text: str) -> list[str]:
        """The sentences of what is said next; they go on with the present message, if there is one."""
        if self._message is None:
            self._begin_message()
        else:
            text = f" {text}"
        return _SENTENCE_END.split(text)

    def lengthen(self, ms: int) -> None:
        """So much sound of the present message is on its way out."""
        if self._message is not None:
            self._conversation.lengthen(self._message, ms)

    def say(self, sentence: str) -> None:
        """The words of a sentence, as deltas."""
        kind = "response.output_audio_transcript.delta" if self.session.speaks else "response.output_text.delta"
        for word in _WORD.findall(sentence):
            self._spoken += word
            self._emit(kind, **self.place(), delta=word)

    def cancel(self, reason: str) -> None:
        """``reason`` is turn_detected or client_cancelled."""
        self._end("cancelled", {"type": "cancelled", "reason": reason})

    def fail(self, code: str, message: str) -> None:
        self._end("failed", {"type": "failed", "error": {"type": "server_error", "code": code, "message": message}})

    def _end_of_itself(self) -> None:
        self._end_message("incomplete" if self._cut_short else "completed")
        if self._cut_short:
            self._end("incomplete", {"type": "incomplete", "reason": "max_output_tokens"})
        else:
            self._end("completed", None)

    def _end(self, status: str, details: Mapping[str, Any] | None) -> None:
        self._end_message("incomplete")
        self._status = status
        self._emit("response.done", response=self._as_dict() | {"status_details": details})
        limit = {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 0.06}
        self._emit("rate_limits.updated", rate_limits=[limit])

    def _begin_message(self) -> None:
        self._message = {
            "id": self._conversation.new_id(),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        self._spoken = ""
        self._add(self._message)
        self._emit("response.content_part.added", **self.place(), part=self._part())

    def _end_message(self, status: str) -> None:
        """If there is one."""
        if self._message is None:
            return
        message, place = self._message, self.place()
        if self.session.speaks:
            self._emit("response.output_audio.done", **place)
            self._emit("response.output_audio_transcript.done", **place, transcript=self._spoken)
            kept = "" if self._conversation.is_truncated(message) else self._spoken
            message["content"] = [{"type": "output_audio", "transcript": kept}]
        else:
            self._emit("response.output_text.done", **place, text=self._spoken)
            message["content"] = [{"type": "output_text", "text": self._spoken}]
        self._emit("response.content_part.done", **place, part=self._part())
        self._finish(message, status)
        self._message = None

    def _call(self, name: str, arguments: Mapping[str, Any]) -> None:
        item: ItemDict = {
            "id": self._conversation.new_id(),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "call_id": self._outgoing.new_id("call"),
            "name": name,
            "arguments": "",
        }
        self._add(item)
        place = {"response_id": self.id, "item_id": item["id"], "output_index": len(self._output) - 1}
        text = json.dumps(arguments)
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            self._emit("response.function_call_arguments.delta", **place, call_id=item["call_id"], delta=piece)
        item["arguments"] = text
        self._emit("response.function_call_arguments.done", **place, call_id=item["call_id"], name=name, arguments=text)
        self._finish(item, "completed")

    def _add(self, item: ItemDict) -> None:
        self._output.append(item)
        self._emit("response.output_item.added", **self._slot(item), item=item)
        previous = self._conversation.add(item)
        if self._conversation_id is not None:
            self._emit("conversation.item.added", previous_item_id=previous, item=item)

    def _finish(self, item: ItemDict, status: str) -> None:
        item["status"] = status
        self._emit("response.output_item.done", **self._slot(item), item=item)
        # The client may have deleted it while it was being made.
        if self._conversation_id is not None and self._conversation.find(item["id"]) is not None:
            previous = self._conversation.previous(item)
            self._emit("conversation.item.done", previous_item_id=previous, item=item)

    def _emit(self, kind: str, **fields: Any) -> None:
        self._outgoing.emit(kind, **fields)

    def _slot(self, item: ItemDict) -> dict[str, Any]:
        return {"response_id": self.id, "output_index": self._output.index(item)}

    def place(self) -> dict[str, Any]:
        """The ids that say where in the response the present message is."""
        assert self._message is not None  # only between _begin_message and _end_message
        return self._slot(self._message) | {"item_id": self._message["id"], "content_index": 0}

    def _part(self) -> dict[str, str]:
        # The type of a part is "audio" where that of the item's content is "output_audio".
        if self.session.speaks:
            return {"type": "audio", "transcript": self._spoken}
        return {"type": "text", "text": self._spoken}

    def _as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": self._status,
            "status_details": None,
            "conversation_id": self._conversation_id,
            "output": self._output,
            "output_modalities": self.session.modalities,
            "audio": {"output": self.session.output_audio},
            "max_output_tokens": self.session.max_output_tokens,
            "metadata": self._metadata,
            "usage": None if self._status == "in_progress" else self._usage(),
        }

    def _usage(self) -> dict[str, Any]:
        """Words stand for tokens."""
        written = sum(_count(item) for item in self._output)
        read = sum(_count(item) for item in self.context if item not in self._output)
        text, audio = (0, written) if self.session.speaks else (written, 0)
        return {
            "total_tokens": read + written,
            "input_tokens": read,
            "output_tokens": written,
            "input_token_details": {"text_tokens": read, "audio_tokens": 0, "cached_tokens": 0},
            "output_token_details": {"text_tokens": text, "audio_tokens": audio},
        }


def _count(item: ItemDict) -> int:
    return sum(len(text.split()) for text in _texts(item))


def _texts(item: ItemDict) -> Iterator[str]:
    for part in item.get("content", ()):
        yield str(part.get("transcript") or part.get("text") or "")
    yield str(item.get("arguments") or item.get("output") or "")
