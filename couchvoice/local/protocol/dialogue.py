"""The dialogue: the mirror of ``core/session``. Client events and speech in, server events and orders out.

Pure: no I/O, no clock, no sound; the performer hears, thinks and speaks for it and feeds back what came of it.
Law: every client event is answered as the API reference says, or with an ``error`` that names it; what the user says
is answered when its words are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from couchvoice.local.protocol.answering import OUTSIDE, Answering
from couchvoice.local.protocol.bad_event import BadEvent, checked, read_object
from couchvoice.local.protocol.client_event import (
    ClientEvent,
    InputAppend,
    InputClear,
    InputCommit,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    OutputClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
    check_event,
    event_id_of,
)
from couchvoice.local.protocol.client_item import ItemReference, check_item
from couchvoice.local.protocol.conversation import ROOT, Conversation, ItemDict
from couchvoice.local.protocol.idle import IdleTimer
from couchvoice.local.protocol.listening import Listening
from couchvoice.local.protocol.orders import Hear, Order
from couchvoice.local.protocol.outgoing import Outgoing
from couchvoice.local.protocol.reply import Part
from couchvoice.local.protocol.session_object import SessionObject
from couchvoice.local.protocol.wire_audio import frame_from_wire

SECONDS_PER_MINUTE = 60

_FOREIGN = {
    InputAppend: "Over WebRTC the input is the audio track.",
    OutputClear: "Over WebSocket the client plays the sound: stop it there and truncate the item.",
}


class Dialogue:
    """``key`` makes the ids of two sessions differ; ``foreign`` is the client event that this transport has not.

    ``text_only``: replies come as text, whatever was asked for.
    """

    def __init__(
        self,
        session: SessionObject,
        key: str,
        *,
        foreign: type[InputAppend] | type[OutputClear],
        text_only: bool = False,
    ) -> None:
        self._foreign = foreign
        self._session = session
        self._outgoing = Outgoing(key)
        self._conversation = Conversation(key)
        self._answering = Answering(session, self._conversation, self._outgoing, text_only=text_only)
        self._listening = Listening(session, self._conversation, self._outgoing)
        self._idle = IdleTimer()

    def awaits(self, response_id: str) -> bool:
        """Whether this response is still being made."""
        return self._answering.makes(response_id)

    # Facts

    def opened(self) -> list[Order]:
        """The channel is open."""
        self._outgoing.emit("session.created", session=self._session.as_dict())
        self._listening.order_detection()
        return self._outgoing.take()

    def introduction(self) -> dict[str, Any]:
        """What somebody is told who joins later: the session as it is now."""
        event_id = self._outgoing.new_id("event")
        return {"type": "session.created", "event_id": event_id, "session": self._session.as_dict()}

    def expired(self, seconds: float) -> list[Order]:
        """The session has lasted this long, and that is all that it may."""
        duration = (
            f"{seconds / SECONDS_PER_MINUTE:g} minutes" if seconds >= SECONDS_PER_MINUTE else f"{seconds:g} seconds"
        )
        self._refuse(BadEvent("session_expired", f"Your session hit the maximum duration of {duration}."), None)
        return self._outgoing.take()

    def receive(self, message: str | bytes, *, now_ms: int, heard_ms: int) -> list[Order]:
        """A client event. ``now_ms``: the input clock; ``heard_ms``: how much of what sounds was played."""
        event_id = None
        try:
            raw = read_object(message)
            event_id = event_id_of(raw)
            event = check_event(raw)
            if isinstance(event, self._foreign):
                raise BadEvent("invalid_event_for_transport", _FOREIGN[self._foreign], "type")
            self._serve(event, now_ms=now_ms, heard_ms=heard_ms)
        except BadEvent as bad:
            self._refuse(bad, event_id)
        return self._outgoing.take()

    def speech_started(self, audio_start_ms: int, *, heard_ms: int) -> list[Order]:
        self._listening.speech_started(audio_start_ms)
        if self._detection.get("interrupt_response"):
            self._answering.cancel("turn_detected")
            self._answering.cut_sound(heard_ms)
        return self._outgoing.take()

    def speech_stopped(self, audio_start_ms: int, audio_end_ms: int) -> list[Order]:
        self._listening.speech_stopped(audio_start_ms, audio_end_ms)
        self._answer_if_wanted()
        return self._outgoing.take()

    def time_passed(self, now_ms: int) -> list[Order]:
        """The input clock has gone on."""
        timeout = self._detection.get("idle_timeout_ms")
        if timeout is None:
            return []
        answering = self._answering
        quiet = answering.quiet and self._listening.item_id is None
        since = self._idle.due(now_ms, timeout, quiet=quiet, answers=answering.answers, unheard_ms=answering.unheard_ms)
        if since is not None:
            self._listening.time_out(since, now_ms)
            self._answer_if_wanted(idle=True)
        return self._outgoing.take()

    def transcribed(self, item_id: str, text: str | None, *, seconds: float) -> list[Order]:
        """What the recognizer made of an item; None: nothing."""
        self._listening.transcribed(item_id, text, seconds=seconds)
        self._answering.think_if_ready()
        return self._outgoing.take()

    def reply_part(self, response_id: str, part: Part) -> list[Order]:
        """The reply, as far as it is known, goes on like this."""
        self._answering.reply_part(response_id, part)
        return self._outgoing.take()

    def reply_ended(self, response_id: str) -> list[Order]:
        self._answering.reply_ended(response_id)
        return self._outgoing.take()

    def sentence_queued(self, response_id: str, *, ms: int) -> list[Order]:
        """The sound of the sentence that was ordered, so long, is on its way out."""
        self._answering.sentence_queued(response_id, ms)
        return self._outgoing.take()

    def sentence_sent(self, response_id: str, chunks: Sequence[str], *, ms: int) -> list[Order]:
        """The sound of the sentence that was ordered, so long, in the pieces in which it goes out in events."""
        self._answering.sentence_sent(response_id, chunks, ms)
        return self._outgoing.take()

    def failed(self, response_id: str) -> list[Order]:
        """An engine could not do what it was asked for this response."""
        self._answering.failed(response_id)
        return self._outgoing.take()

    def playback_started(self, response_id: str) -> list[Order]:
        """The first sample of a response is going out."""
        self._answering.playback_started(response_id)
        return self._outgoing.take()

    def playback_drained(self, response_id: str) -> list[Order]:
        """Nothing of this response is queued any more."""
        self._answering.playback_drained(response_id)
        return self._outgoing.take()

    # Client events

    def _serve(self, event: ClientEvent, *, now_ms: int, heard_ms: int) -> None:
        match event:
            case SessionUpdate(session):
                self._update(session)
            case InputAppend(audio):
                self._outgoing.order(Hear(frame_from_wire(audio, self._session.input_format)))
            case InputCommit():
                self._listening.commit_by_hand(now_ms)
            case InputClear():
                self._listening.clear(now_ms)
            case OutputClear():
                self._answering.cut_sound(heard_ms)
            case ItemCreate(item, previous_item_id):
                self._create(*check_item(item), previous_item_id)
            case ItemRetrieve(item_id):
                self._outgoing.emit("conversation.item.retrieved", item=self._named(item_id, "item_id"))
            case ItemTruncate():
                self._truncate(event)
            case ItemDelete(item_id):
                self._conversation.remove(self._named(item_id, "item_id"))
                self._outgoing.emit("conversation.item.deleted", item_id=item_id)
                self._answering.think_if_ready()  # the response may have waited for the words of this item
            case ResponseCreate(options):
                self._respond(options or {})
            case ResponseCancel(response_id):
                if not self._answering.makes(response_id or self._answering.active_id):
                    raise BadEvent("response_cancel_not_active", "Cancellation failed: no active response found.")
                self._answering.cancel("client_cancelled", response_id)
            case _:
                assert_never(event)

    def _update(self, change: Mapping[str, Any]) -> None:
        if "type" not in change:  # of all its fields the one that GA makes a client say
            raise BadEvent("missing_required_parameter", "Missing required parameter: 'session.type'.", "session.type")
        before = self._session.turn_detection
        self._session.update(change, keep_voice=self._answering.has_sounded)
        self._outgoing.emit("session.updated", session=self._session.as_dict())
        if self._session.turn_detection != before:
            self._listening.order_detection()

    def _create(self, item: ItemDict, sound: Sequence[str], after: str | None) -> None:
        frames = [frame_from_wire(text, self._session.input_format) for text in sound]
        item = {"id": self._conversation.new_id(), **item, "object": "realtime.item", "status": "completed"}
        if after is not None and after != ROOT:
            self._named(after, "previous_item_id")
        if item["id"] == self._listening.item_id or self._conversation.find(item["id"]) is not None:
            raise BadEvent("item_already_exists", f"There is an item '{item['id']}' already.", "item.id")
        if item["type"] == "function_call_output" and self._conversation.call(item["call_id"]) is None:
            raise BadEvent("invalid_tool_call_id", f"Tool call ID '{item['call_id']}' not found in conversation.")
        previous = self._conversation.add(item, after)
        self._outgoing.emit("conversation.item.added", previous_item_id=previous, item=item)
        self._outgoing.emit("conversation.item.done", previous_item_id=previous, item=item)
        if frames:
            self._listening.recognize(item, frames)

    def _truncate(self, event: ItemTruncate) -> None:
        item = self._named(event.item_id, "item_id")
        if item["type"] != "message" or item["role"] != "assistant":
            raise BadEvent("invalid_value", "Only the assistant's messages can be truncated.", "item_id")
        if event.content_index:
            raise BadEvent("invalid_value", "The item has one content part.", "content_index")
        length = self._conversation.audio_ms(item)
        if event.audio_end_ms > length:
            message = f"The audio of the item, {length} ms, already ends before that."
            raise BadEvent("invalid_value", message, "audio_end_ms")
        self._answering.truncate(item, event.audio_end_ms)

    def _respond(self, options: Mapping[str, Any]) -> None:
        if not self._session.responds:
            raise BadEvent("invalid_value", "A transcription session makes no responses.", "type")
        active = self._answering.active_id
        if active is not None and options.get("conversation") != OUTSIDE:
            raise BadEvent(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active}. "
                "Wait until the response is finished before creating a new one.",
            )
        self._require_tool(options)
        items = options.get("input")
        self._answering.respond(options, context=None if items is None else self._context(items))

    def _require_tool(self, options: Mapping[str, Any]) -> None:
        """Raises BadEvent when a call is required of a tool that there is not."""
        session = self._session.for_response(options)
        if session.must_call and session.must_call not in {tool["name"] for tool in session.tools_on_offer}:
            raise BadEvent("invalid_value", "The tool that must be called is not on offer.", "response.tool_choice")

    def _context(self, items: object) -> Conversation:
        """What a response is to answer in place of the conversation."""
        context = Conversation(self._outgoing.new_id("context"))
        for number, raw in enumerate(checked(items, list[dict[str, Any]], param="response.input")):
            param = f"response.input[{number}]"
            if raw.get("type") == "item_reference":
                reference: ItemReference = checked(raw, ItemReference, param=param)
                context.add(self._conversation.heard_item(self._named(reference.id, f"{param}.id")))
            else:
                item, sound = check_item(raw, param)
                if sound:
                    message = "Put sound into an item of the conversation first, and refer to that."
                    raise BadEvent("invalid_value", message, f"{param}.content")
                context.add({"id": context.new_id(), **item})
        return context

    # Small moves

    @property
    def _detection(self) -> Mapping[str, Any]:
        return self._session.turn_detection or {}

    def _answer_if_wanted(self, *, idle: bool = False) -> None:
        wanted = self._session.responds and self._detection.get("create_response")
        if wanted and self._answering.active_id is None:
            self._answering.respond({}, idle=idle)

    def _named(self, item_id: str, param: str) -> ItemDict:
        item = self._conversation.find(item_id)
        if item is None:
            raise BadEvent("item_not_found", f"There is no item '{item_id}'.", param)
        return item

    def _refuse(self, bad: BadEvent, event_id: str | None) -> None:
        error = {"type": "invalid_request_error", "code": bad.code, "message": bad.message}
        named = {"param": bad.param, "event_id": event_id}
        self._outgoing.emit("error", error=error | {name: value for name, value in named.items() if value is not None})
