"""The user's side of a dialogue: what is being said, what is committed of it, and which words it was.

Law: whatever enters the conversation as input was committed first, by the detector, by the client, or because nobody
said anything for too long; an item is transcribed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.protocol.bad_event import BadEvent
from couchvoice.local.protocol.conversation import Conversation, ItemDict
from couchvoice.local.protocol.orders import ClearInput, Detect, DetectNothing, Recognize, Transcribe
from couchvoice.local.protocol.outgoing import Outgoing
from couchvoice.local.protocol.session_object import SessionObject

MIN_COMMIT_MS = 100  # OpenAI: a buffer must hold at least 100 ms of audio to be committed

_HELD_BACK_MS = 2  # ms that the resampler before the input buffer may still hold: what was appended counts
_TRANSCRIPTION = "conversation.item.input_audio_transcription"


class Listening:
    def __init__(self, session: SessionObject, conversation: Conversation, outgoing: Outgoing) -> None:
        self._session = session
        self._conversation = conversation
        self._outgoing = outgoing
        self._input_from = 0  # ms: where what is not yet committed begins
        self.item_id: str | None = None  # the item that is being spoken

    def order_detection(self) -> None:
        detection = self._session.turn_detection
        if detection is None:
            self._outgoing.order(DetectNothing())
            return
        self._outgoing.order(
            Detect(detection["threshold"], detection["prefix_padding_ms"], detection["silence_duration_ms"])
        )

    def speech_started(self, audio_start_ms: int) -> None:
        self.item_id = self._conversation.new_id()
        # The padding before it may reach into what is committed already.
        audio_start_ms = max(audio_start_ms, self._input_from)
        self._outgoing.emit("input_audio_buffer.speech_started", audio_start_ms=audio_start_ms, item_id=self.item_id)

    def speech_stopped(self, audio_start_ms: int, audio_end_ms: int) -> None:
        # None: the client has committed the item while it was being spoken; what came since is another one.
        item_id, self.item_id = self.item_id or self._conversation.new_id(), None
        self._outgoing.emit("input_audio_buffer.speech_stopped", audio_end_ms=audio_end_ms, item_id=item_id)
        self._commit(item_id, max(audio_start_ms, self._input_from), audio_end_ms)

    def time_out(self, audio_start_ms: int, audio_end_ms: int) -> None:
        """Nobody has said anything in between: that is an item, too, and there is no word in it."""
        item_id = self._conversation.new_id()
        times = {"audio_start_ms": audio_start_ms, "audio_end_ms": audio_end_ms}
        self._outgoing.emit("input_audio_buffer.timeout_triggered", item_id=item_id, **times)
        self._put_input(item_id, audio_end_ms)
        self.transcribed(item_id, "", seconds=(audio_end_ms - audio_start_ms) / 1000)

    def commit_by_hand(self, now_ms: int) -> None:
        """Raises BadEvent."""
        held = now_ms - self._input_from
        if held < MIN_COMMIT_MS - _HELD_BACK_MS:
            raise BadEvent(
                "input_audio_buffer_commit_empty",
                f"The input audio buffer holds {max(held, 0)} ms of audio, at least {MIN_COMMIT_MS} are needed.",
            )
        item_id, self.item_id = self.item_id or self._conversation.new_id(), None
        self._commit(item_id, self._input_from, now_ms)

    def clear(self, now_ms: int) -> None:
        self._input_from = max(self._input_from, now_ms)
        self._outgoing.order(ClearInput())
        self._outgoing.emit("input_audio_buffer.cleared")

    def recognize(self, item: ItemDict, frames: Sequence[AudioFrame]) -> None:
        """The client has put sound into an item of its own."""
        self._conversation.await_words(item)
        self._outgoing.order(Recognize(item["id"], frames, self._session.language))

    def transcribed(self, item_id: str, text: str | None, *, seconds: float) -> None:
        """What the recognizer made of an item; None: nothing."""
        item = self._conversation.hear(item_id, text or "")
        if item is not None and self._session.transcribes:
            self._tell_transcript(item, text, seconds)

    def _commit(self, item_id: str, start_ms: int, end_ms: int) -> None:
        self._put_input(item_id, end_ms)
        self._outgoing.order(Transcribe(item_id, start_ms, end_ms, self._session.language))

    def _put_input(self, item_id: str, end_ms: int) -> None:
        item: ItemDict = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        previous = self._conversation.add(item)
        self._conversation.await_words(item)
        self._input_from = max(self._input_from, end_ms)
        self._outgoing.emit("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        self._outgoing.emit("conversation.item.added", previous_item_id=previous, item=item)
        self._outgoing.emit("conversation.item.done", previous_item_id=previous, item=item)

    def _tell_transcript(self, item: ItemDict, text: str | None, seconds: float) -> None:
        index = next(number for number, part in enumerate(item["content"]) if part["type"] == "input_audio")
        place: Mapping[str, Any] = {"item_id": item["id"], "content_index": index}
        if text is None:
            error = {"type": "transcription_error", "code": "audio_unintelligible", "message": "Nothing recognized."}
            self._outgoing.emit(f"{_TRANSCRIPTION}.failed", **place, error=error)
            return
        item["content"][index]["transcript"] = text
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        if text:
            self._outgoing.emit(f"{_TRANSCRIPTION}.delta", **place, delta=text)
        self._outgoing.emit(f"{_TRANSCRIPTION}.completed", **place, transcript=text, usage=usage)
