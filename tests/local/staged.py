"""A dialogue on a stage: its engines answer when the test says so, and every event is judged as it comes.

Not a test, and no asyncio. Law: engines do what a peer's do: each order is answered at most once, sound comes out in
the order in which it was queued.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from couchvoice.local.protocol.client_event import InputAppend, OutputClear
from couchvoice.local.protocol.dialogue import Dialogue
from couchvoice.local.protocol.orders import Emit, Hush, Order, Recognize, Speak, Think, Transcribe
from couchvoice.local.protocol.reply import Call, Part, Say, ToolResult
from couchvoice.local.protocol.session_object import SessionObject
from couchvoice.local.protocol.wire_audio import CHUNK_MS
from tests.local.wire import WEBRTC_LACKS, WEBSOCKET_LACKS, Event, SessionJudge

KEY = "key"
EXPIRES_AT = 2_000_000_000.0
SENTENCE_MS = 1000
CHUNK = "AAA="  # base64 of a sample
TRANSCRIBES = {"audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "show_memory_status", "description": "", "parameters": {"type": "object"}},
    {"type": "function", "name": "lookup_crisis_resources", "parameters": {"type": "object"}},
    {"type": "function", "name": "wait_for_user", "parameters": {"type": "object"}},
]

GREETING, STORY, MEMORY, BOTH, ASIDE = "hello", "a story", "memory", "both", "not you"
REPLIES: dict[str, tuple[Part, ...]] = {
    GREETING: (Say("Yes, I can hear you. How are you?"),),
    STORY: (Say("One day it rained. Then it snowed. Nobody minded."),),
    MEMORY: (Say("One moment."), Call("show_memory_status", {"thread": 1})),
    BOTH: (Call("show_memory_status", {}), Call("lookup_crisis_resources", {"country": "IE"})),
    ASIDE: (Call("wait_for_user", {}),),
}

Kind = TypeVar("Kind")


class Stage:
    """``events`` is all that was emitted; ``orders`` what no engine has done yet.

    ``foreign`` is what the transport has not: InputAppend for WebRTC, OutputClear for WebSocket.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        foreign: type[InputAppend] | type[OutputClear] = InputAppend,
        defaults: Mapping[str, Any] = TRANSCRIBES | {"tools": TOOLS},
    ) -> None:
        config = {**defaults, **(config or {})}
        self._kind = config.get("type", "realtime")
        self.dialogue = Dialogue(SessionObject("sess_1", config, EXPIRES_AT), KEY, foreign=foreign)
        self._sends_sound = foreign is OutputClear
        self.judge = SessionJudge(lacks=WEBSOCKET_LACKS if self._sends_sound else WEBRTC_LACKS)
        self.events: list[Event] = []
        self.orders: list[Order] = []
        self.queued: list[str] = []  # responses that have sound in the mouth, in order
        self.clock = 0  # ms, of the input
        self._started: str | None = None
        self.take(self.dialogue.opened())

    # Looking

    def types(self, since: int = 0) -> list[str]:
        return [event["type"] for event in self.events[since:]]

    def last(self, kind: str) -> Event:
        return next(event for event in reversed(self.events) if event["type"] == kind)

    def all(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def pending(self, kind: type[Kind]) -> list[Kind]:
        return [order for order in self.orders if isinstance(order, kind)]

    # The client

    def send(self, kind: str, *, heard_ms: int = 0, **fields: Any) -> list[Event]:
        """What it is answered with. An update of the session says its type, as it must."""
        if kind == "session.update" and isinstance(session := fields.get("session"), dict):
            fields["session"] = {"type": self._kind, **session}
        return self.receive(json.dumps({"type": kind, **fields}), heard_ms=heard_ms)

    def receive(self, message: str | bytes, *, heard_ms: int = 0) -> list[Event]:
        return self.take(self.dialogue.receive(message, now_ms=self.clock, heard_ms=heard_ms))

    def refusal(self, kind: str, **fields: Any) -> Event:
        """The error that it is answered with, and with nothing else."""
        (event,) = self.send(kind, **fields)
        assert event["type"] == "error"
        error: Event = event["error"]
        return error

    # The user

    def start_speaking(self, *, heard_ms: int = 0) -> list[Event]:
        self.clock += 1000
        return self.take(self.dialogue.speech_started(self.clock, heard_ms=heard_ms))

    def stop_speaking(self) -> list[Event]:
        self.clock += 1000
        return self.take(self.dialogue.speech_stopped(self.clock - 1000, self.clock))

    def utter(self) -> list[Event]:
        return self.start_speaking() + self.stop_speaking()

    def recognize(self, text: str | None) -> list[Event]:
        """The recognizer is done with sound that came in an item."""
        order = self._do(Recognize)
        return self.take(self.dialogue.transcribed(order.item_id, text, seconds=1.5))

    def hear(self, text: str | None, *, nth: int = 0) -> list[Event]:
        """The recognizer is done with an utterance, the oldest unless told otherwise."""
        order = self._do(Transcribe, nth)
        return self.take(self.dialogue.transcribed(order.item_id, text, seconds=1.5))

    def say(self, text: str | None) -> list[Event]:
        """An utterance, recognized at once."""
        return self.utter() + self.hear(text)

    # The engines

    def think(self, parts: tuple[Part, ...] | None = None) -> list[Event]:
        """A whole reply: these parts, or what is known of the question."""
        order = self._do(Think)
        question = order.question
        if parts is None:
            parts = reported(*question.results) if question.results else REPLIES.get(question.heard, ())
        events = [event for part in parts for event in self.take(self.dialogue.reply_part(order.response_id, part))]
        return events + self.take(self.dialogue.reply_ended(order.response_id))

    def think_on(self, part: Part) -> list[Event]:
        """The reply begins, or goes on, like this; there may be more."""
        return self.take(self.dialogue.reply_part(self.pending(Think)[0].response_id, part))

    def synthesize(self, ms: int = SENTENCE_MS) -> list[Event]:
        """One sentence goes into the queue, or out, as in the sessions: not if its response is over."""
        order = self._do(Speak)
        if self._sends_sound:
            chunks = [CHUNK] * -(-ms // CHUNK_MS)
            return self.take(self.dialogue.sentence_sent(order.response_id, chunks, ms=ms))
        if not self.dialogue.awaits(order.response_id):
            return []
        if ms and order.response_id not in self.queued:
            self.queued.append(order.response_id)
        return self.take(self.dialogue.sentence_queued(order.response_id, ms=ms))

    def play(self) -> list[Event]:
        """The first sample of what is queued goes out."""
        if not self.queued or self._started == self.queued[0]:
            return []
        self._started = self.queued[0]
        return self.take(self.dialogue.playback_started(self._started))

    def drain(self) -> list[Event]:
        """All of the first response in the queue has gone out."""
        if not self.queued:
            return []
        events = self.play()
        return events + self.take(self.dialogue.playback_drained(self.queued.pop(0)))

    def answer(self) -> list[Event]:
        """Think and speak until nothing is left to say; the sound is not played to its end."""
        events: list[Event] = []
        while any(isinstance(order, Think | Speak) for order in self.orders):
            events += self.think() if self.pending(Think) else self.synthesize() + self.play()
        return events

    def take(self, orders: list[Order]) -> list[Event]:
        events = []
        for order in orders:
            match order:
                case Emit(event):
                    self.judge.see(event)
                    events.append(event)
                case Hush(response_id):
                    self.queued = [other for other in self.queued if other != response_id]
                    self._started = None if self._started == response_id else self._started
                case _:
                    self.orders.append(order)
        self.events += events
        return events

    def fail(self) -> list[Event]:
        """An engine could not do what it was asked for."""
        order = self._do(Think) if self.pending(Think) else self._do(Speak)
        return self.take(self.dialogue.failed(order.response_id))

    def _do(self, kind: type[Kind], nth: int = 0) -> Kind:
        order = self.pending(kind)[nth]
        self.orders.remove(order)  # type: ignore[arg-type]  # it came out of there
        return order


def reported(*results: ToolResult) -> tuple[Part, ...]:
    """What is said about the tools' outputs; nothing about waiting."""
    texts = [f"{result.name} says {result.output.get('output', result.output)}." for result in results]
    return (Say(" ".join(texts)),) if results[0].name != "wait_for_user" else ()


def types(events: list[Event]) -> list[str]:
    return [event["type"] for event in events]
