"""The assistant's side of a dialogue: which responses are being made, and which one is heard.

Two things, for a response is done when its last words are queued, and sounds until they are played.
Law: one response at a time in the conversation, any number outside of it; one that has begun also ends; what sounds is
announced by ``output_audio_buffer.started``, before its words, and closed by ``.stopped`` or ``.cleared``. What is sent
in events sounds at the client: nothing of it is heard here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from couchvoice.local.protocol.conversation import Conversation, ItemDict
from couchvoice.local.protocol.orders import Hush, Speak, Think
from couchvoice.local.protocol.outgoing import Outgoing
from couchvoice.local.protocol.questions import question_for
from couchvoice.local.protocol.reply import Part
from couchvoice.local.protocol.response import Response
from couchvoice.local.protocol.session_object import SessionObject

OUTSIDE = "none"  # OpenAI: conversation "none" makes "an out-of-band response which will not add items"


class Answering:
    def __init__(
        self, session: SessionObject, conversation: Conversation, outgoing: Outgoing, *, text_only: bool = False
    ) -> None:
        self._session = session
        self._imposed = {"output_modalities": ["text"]} if text_only else {}
        self._conversation = conversation
        self._outgoing = outgoing
        self._made: dict[str, Response] = {}  # those between response.created and response.done
        self._active: Response | None = None  # the one of them that is in the conversation
        self._audible: dict[str, Response] = {}  # those that have sound in the peer's queue, or had until it ran dry
        self._sounding: Response | None = None  # the one of them whose sound has begun
        self._drained = False  # nothing of it is queued at this moment
        self._speaker: Response | None = None  # whose sentences are made into sound: one response after the other
        self.has_sounded = False  # whether any sound was made for this session
        self.answers = 0  # how many responses have ended
        self.unheard_ms = 0  # what the client was sent of the last one, to play it itself

    @property
    def active_id(self) -> str | None:
        """The response of the conversation that is being made."""
        return self._active.id if self._active is not None else None

    @property
    def quiet(self) -> bool:
        """Nothing is being made, nothing sounds here."""
        return not self._made and self._sounding is None

    def makes(self, response_id: str | None) -> bool:
        return response_id in self._made

    def respond(self, options: Mapping[str, Any], *, context: Conversation | None = None, idle: bool = False) -> None:
        """Begin a response, to what is in ``context`` if that is not the conversation. Raises BadEvent.

        In the conversation none may be active. ``idle``: it is nobody's words that it answers.
        """
        session = self._session.for_response({**options, **self._imposed})
        response_id = self._outgoing.new_id("resp")
        outside = options.get("conversation") == OUTSIDE
        response = Response(
            response_id,
            session=session,
            metadata=options.get("metadata"),
            context=context or self._conversation,
            conversation=Conversation(response_id) if outside else self._conversation,
            conversation_id=None if outside else self._conversation.id,
            outgoing=self._outgoing,
            idle=idle,
        )
        self._made[response.id] = response
        if not outside:
            self._active, self.unheard_ms = response, 0
        self.think_if_ready()

    def think_if_ready(self) -> None:
        """Ask for the replies whose question is known: all words that it is about have been recognized."""
        for response in self._made.values():
            question = question_for(response) if response.waits else None
            if question is not None:
                response.waits = False
                self._outgoing.order(Think(response.id, question))

    # What came of the orders

    def reply_part(self, response_id: str, part: Part) -> None:
        if (response := self._made.get(response_id)) is not None:
            response.take(part)
            self._speak_on(response)

    def reply_ended(self, response_id: str) -> None:
        if (response := self._made.get(response_id)) is not None:
            response.complete()
            self._speak_on(response)

    def sentence_queued(self, response_id: str, ms: int) -> None:
        """So much sound of the sentence that was ordered is on its way out."""
        response = self._made.get(response_id)
        if response is None:
            return
        response.lengthen(ms)
        if ms:
            self.has_sounded = True
            self._audible[response.id], self._drained = response, False
        if ms and self._sounding is not response:
            response.held = True
        else:
            self._say(response)

    def sentence_sent(self, response_id: str, chunks: Sequence[str], ms: int) -> None:
        """The client has all the sound of the sentence that was ordered, and plays it itself."""
        response = self._made.get(response_id)
        if response is None:
            return
        response.lengthen(ms)
        self.unheard_ms += ms
        self.has_sounded = True
        for chunk in chunks:
            self._outgoing.emit("response.output_audio.delta", **response.place(), delta=chunk)
        self._say(response)

    def failed(self, response_id: str) -> None:
        """An engine did not do its part."""
        if (response := self._made.get(response_id)) is not None:
            self._leave(response)
            response.fail("engine_failed", "The local server could not make this response.")
            self._stop_if_over()
            self._give_floor()

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

    def cancel(self, reason: str, response_id: str | None = None) -> None:
        """End a response, that of the conversation unless it is named; what sounds goes on."""
        response = self._made.get(response_id or self.active_id or "")
        if response is not None:
            self._leave(response)
            response.cancel(reason)
            self._stop_if_over()
            self._give_floor()

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
        for response in list(self._made.values()):
            self._release(response)

    def truncate(self, item: ItemDict, audio_end_ms: int) -> None:
        """Forget what comes later in the item, and all of its transcript."""
        self._conversation.truncate(item, audio_end_ms)
        place = {"item_id": item["id"], "content_index": 0}
        self._outgoing.emit("conversation.item.truncated", **place, audio_end_ms=audio_end_ms)

    # Small moves

    def _leave(self, response: Response) -> None:
        """Let go of a response that is about to end early."""
        self._forget(response)
        if response is not self._sounding and self._audible.pop(response.id, None) is not None:
            self._outgoing.order(Hush(response.id))

    def _forget(self, response: Response) -> None:
        del self._made[response.id]
        self.answers += 1
        if self._active is response:
            self._active = None
        if self._speaker is response:
            self._speaker = None

    def _give_floor(self) -> None:
        """Somebody else may have waited to speak."""
        for response in list(self._made.values()):
            if self._speaker is None:
                self._speak_on(response)

    def _speak_on(self, response: Response) -> None:
        if response.speaking is not None or self._speaker not in (None, response):
            return
        while (sentence := response.next_sentence()) is not None:
            if response.session.speaks:
                response.speaking, self._speaker = sentence, response
                session = response.session
                self._outgoing.order(
                    Speak(response.id, sentence, session.voice, session.speed, session.language, session.output_format)
                )
                return
            response.say(sentence)
        if response.over:
            self._forget(response)
            self._stop_if_over()
            self._give_floor()

    def _release(self, response: Response) -> None:
        if response.held:
            self._say(response)

    def _say(self, response: Response) -> None:
        sentence, response.speaking, response.held = response.speaking, None, False
        assert sentence is not None  # it was ordered
        response.say(sentence)
        self._speak_on(response)

    def _stop_if_over(self) -> None:
        if self._sounding is not None and self._sounding.id not in self._made and self._drained:
            self._outgoing.emit("output_audio_buffer.stopped", response_id=self._sounding.id)
            del self._audible[self._sounding.id]
            self._sounding = None
