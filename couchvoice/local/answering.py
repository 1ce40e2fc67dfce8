"""The assistant's side of a dialogue: which response is being made, and which one is heard.

Two things, for a response is done when its last words are queued, and sounds until they are played.
Law: one response at a time; one that has begun also ends; what sounds is announced by ``output_audio_buffer.started``,
before its words, and closed by ``.stopped`` or ``.cleared``. What is sent in events sounds at the client: nothing of
it is heard here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from couchvoice.local.bad_event import BadEvent, read_object
from couchvoice.local.conversation import Conversation, ItemDict
from couchvoice.local.orders import Hush, Speak, Think
from couchvoice.local.outgoing import Outgoing
from couchvoice.local.replies import Reply, ToolResult
from couchvoice.local.response import Response
from couchvoice.local.session_object import SessionObject


class Answering:
    def __init__(self, session: SessionObject, conversation: Conversation, outgoing: Outgoing) -> None:
        self._session = session
        self._conversation = conversation
        self._outgoing = outgoing
        self._response: Response | None = None  # the one between response.created and response.done
        self._audible: dict[str, Response] = {}  # those that have sound in the peer's queue, or had until it ran dry
        self._sounding: Response | None = None  # the one of them whose sound has begun
        self._drained = False  # nothing of it is queued at this moment

    @property
    def active_id(self) -> str | None:
        """The response that is being made."""
        return self._response.id if self._response is not None else None

    def respond(self, options: Mapping[str, Any]) -> None:
        """Begin a response; none may be active. Raises BadEvent."""
        session = self._session.for_response(options)
        self._response = Response(
            session=session,
            metadata=options.get("metadata"),
            conversation=self._conversation,
            outgoing=self._outgoing,
        )
        self.think_if_ready()

    def think_if_ready(self) -> None:
        """Ask for the reply as soon as all words that it answers are known."""
        response = self._response
        if response is None or not response.waits:
            return
        outputs = self._conversation.unanswered_outputs()
        messages = self._conversation.unanswered_messages() if not outputs else []
        words = [self._conversation.words(message) for message in messages]
        if None in words:
            return
        response.waits = False
        results = tuple(self._result(output) for output in outputs)
        self._outgoing.order(Think(response.id, " ".join(filter(None, words)), results, response.session.tool_names))

    # What came of the orders

    def replied(self, response_id: str, reply: Reply) -> None:
        if (response := self._current(response_id)) is not None:
            response.begin(reply)
            self._speak_on(response)

    def sentence_queued(self, response_id: str, sentence: str, ms: int) -> None:
        """So much sound of a sentence is on its way out."""
        response = self._current(response_id)
        if response is None:
            return
        response.lengthen(ms)
        if ms:
            self._audible[response.id], self._drained = response, False
        if ms and self._sounding is not response:
            response.held = sentence
        else:
            self._say(response, sentence)

    def sentence_sent(self, response_id: str, sentence: str, chunks: Sequence[str], ms: int) -> None:
        """The client has all the sound of a sentence, and plays it itself."""
        response = self._current(response_id)
        if response is None:
            return
        response.lengthen(ms)
        for chunk in chunks:
            self._outgoing.emit("response.output_audio.delta", **response.place(), delta=chunk)
        self._say(response, sentence)

    def failed(self, response_id: str) -> None:
        """An engine did not do its part."""
        if self._current(response_id) is not None:
            self._leave().fail("engine_failed", "The local server could not make this response.")
            self._stop_if_over()

    def playback_started(self, response_id: str) -> None:
        """The first sample of a response is going out."""
        response = self._audible.get(response_id)
        if response is None or response is self._sounding:
            return
        self._drained = True  # whatever sounded before
        self._stop_if_over()
        self._sounding, self._drained = response, False
        self._outgoing.emit("output_audio_buffer.started", response_id=response.id)
        self._release(response)

    def playback_drained(self, response_id: str) -> None:
        """Nothing of a response is queued any more."""
        if self._sounding is not None and self._sounding.id == response_id:
            self._drained = True
            self._stop_if_over()

    # What ends it early

    def cancel(self, reason: str) -> None:
        """End the active response, if there is one; what sounds goes on."""
        if self._response is not None:
            self._leave().cancel(reason)
            self._stop_if_over()

    def cut_sound(self, heard_ms: int) -> None:
        """OpenAI: the server drops what it has not played, and truncates the item at what was heard."""
        for response_id in self._audible:
            self._outgoing.order(Hush(response_id))
        self._audible.clear()
        sounding, self._sounding = self._sounding, None
        if sounding is not None:
            self._outgoing.emit("output_audio_buffer.cleared", response_id=sounding.id)
            item = self._conversation.find(sounding.last_message_id)
            if item is not None:
                self.truncate(item, min(heard_ms, self._conversation.audio_ms(item)))
        if self._response is not None:
            self._release(self._response)

    def truncate(self, item: ItemDict, audio_end_ms: int) -> None:
        """Forget what comes later in the item, and all of its transcript."""
        for part in item["content"]:
            if part["type"] == "output_audio":
                part["transcript"] = ""
        self._conversation.set_audio_ms(item, audio_end_ms)
        place = {"item_id": item["id"], "content_index": 0}
        self._outgoing.emit("conversation.item.truncated", **place, audio_end_ms=audio_end_ms)

    # Small moves

    def _leave(self) -> Response:
        """Let go of the active response, which is about to end early."""
        response, self._response = self._response, None
        assert response is not None  # the callers have looked
        if response is not self._sounding and self._audible.pop(response.id, None) is not None:
            self._outgoing.order(Hush(response.id))
        return response

    def _speak_on(self, response: Response) -> None:
        while (sentence := response.next_sentence()) is not None:
            if response.session.speaks:
                session = response.session
                self._outgoing.order(Speak(response.id, sentence, session.voice, session.speed, session.output_format))
                return
            response.say(sentence)
        self._response = None
        self._stop_if_over()

    def _release(self, response: Response) -> None:
        if response.held is not None:
            sentence, response.held = response.held, None
            self._say(response, sentence)

    def _say(self, response: Response, sentence: str) -> None:
        response.say(sentence)
        self._speak_on(response)

    def _stop_if_over(self) -> None:
        if self._sounding is not None and self._sounding is not self._response and self._drained:
            self._outgoing.emit("output_audio_buffer.stopped", response_id=self._sounding.id)
            del self._audible[self._sounding.id]
            self._sounding = None

    def _current(self, response_id: str) -> Response | None:
        return self._response if self.active_id == response_id else None

    def _result(self, output: ItemDict) -> ToolResult:
        call = self._conversation.call(output["call_id"]) or {"name": "", "arguments": "{}"}
        return ToolResult(call["name"], _object(call["arguments"]), _object(output["output"]))


def _object(text: str) -> dict[str, Any]:
    try:
        return read_object(text)
    except BadEvent:
        return {"output": text}
