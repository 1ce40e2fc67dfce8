"""Whatever a client sends and in whatever order things happen: the session lives, and its events are in order.

The judge of wire.py sees every event as it is emitted; at the end every response that was created must have ended.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from couchvoice.local.protocol.client_event import InputAppend, OutputClear
from couchvoice.local.protocol.orders import Detect, Recognize, Speak, Think, Transcribe
from couchvoice.local.protocol.reply import Call, Part, Say
from tests.local.staged import CHUNK, GREETING, MEMORY, STORY, TOOLS, Stage

EXAMPLES = 100
STEPS = 40
WORDS = st.sampled_from([GREETING, MEMORY, STORY, "", "...", "a.b! c?? d", "x" * 300])
PARTS = st.one_of(st.builds(Say, WORDS), st.builds(Call, st.just("show_memory_status"), st.just({"a": [1, None]})))
REPLIES = st.lists(PARTS, max_size=4).map(tuple)
MILLISECONDS = st.sampled_from([0, 1, 99, 100, 1000, 100_000])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(10**4000)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
NASTY = st.sampled_from(
    ["", "null", "[" * 100_000, "9" * 5000, '{"type":"response.create","event_id":"\\udc80"}', "NaN", "\x00", "\ud800"]
)
SESSIONS: list[dict[str, Any]] = [
    {"type": "realtime", "instructions": "x"},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"], "max_output_tokens": 3},
    {"max_output_tokens": "inf", "tools": TOOLS, "tool_choice": "none"},
    {"audio": {"input": {"turn_detection": None}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}},
    {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "create_response": False}}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0, "silence_duration_ms": 0}}}},
    {"audio": {"input": {"transcription": None}, "output": {"voice": "ash", "speed": 1.5}}},
]
RESPONSES: list[dict[str, Any] | None] = [
    None,
    {"conversation": "none"},
    {"conversation": "none", "output_modalities": ["text"], "input": []},
    {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": GREETING}]}]},
]
KINDS = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "output_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
]
FIELDS = ["session", "item", "item_id", "previous_item_id", "audio_end_ms", "content_index", "response", "event_id"]


class AnyTalk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()

    @initialize(foreign=st.sampled_from([InputAppend, OutputClear]))
    def a_transport_is_chosen(self, foreign: type[InputAppend] | type[OutputClear]) -> None:
        self.stage = Stage(foreign=foreign)

    # The client

    @rule(draw=st.data(), kind=st.sampled_from(KINDS))
    def the_client_sends_an_event(self, draw: st.DataObject, kind: str) -> None:
        self.stage.send(kind, **self._fields(draw))

    @rule(
        draw=st.data(), kind=st.sampled_from(KINDS), garbage=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1)
    )
    def the_client_sends_garbage_in_an_event(self, draw: st.DataObject, kind: str, garbage: dict[str, Any]) -> None:
        self.stage.send(kind, **self._fields(draw) | garbage)

    @rule(message=st.one_of(st.text(max_size=20), st.binary(max_size=20), JSON.map(json.dumps), NASTY))
    def the_client_sends_garbage(self, message: str | bytes) -> None:
        (event,) = self.stage.receive(message)
        assert event["type"] == "error"

    def _fields(self, draw: st.DataObject) -> dict[str, Any]:
        """All that an event may need; the newest items first, for hypothesis likes what comes first."""
        items = self.stage.judge.items[::-1]
        return {
            "session": draw.draw(st.sampled_from(SESSIONS)),
            "item": self._item(draw),
            "previous_item_id": draw.draw(st.sampled_from([None, "root", *items])),
            "item_id": draw.draw(st.sampled_from([*items, "nobody"])),
            "audio": draw.draw(st.sampled_from(["AAAA", "", "AA==", "A"])),
            "audio_end_ms": draw.draw(MILLISECONDS),
            "heard_ms": draw.draw(MILLISECONDS),
            "response": draw.draw(st.sampled_from(RESPONSES)),
            "response_id": draw.draw(st.sampled_from([None, *self.stage.judge.outside])),
        }

    def _item(self, draw: st.DataObject) -> dict[str, Any]:
        calls = [event["call_id"] for event in self.stage.all("response.function_call_arguments.done")]
        text = draw.draw(WORDS)
        items: list[dict[str, Any]] = [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]},
            {"type": "message", "role": "user", "content": [{"type": "input_audio"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": CHUNK}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]},
            {"type": "function_call_output", "call_id": draw.draw(st.sampled_from(["c", *calls])), "output": text},
            {"type": "function_call", "call_id": "c", "name": "t", "arguments": text},
        ]
        item_id = draw.draw(st.sampled_from([None, "mine", "item_key_7", "item_key_8"]))
        item = draw.draw(st.sampled_from(items))
        return item if item_id is None else {**item, "id": item_id}

    # The user

    @rule(heard_ms=MILLISECONDS)
    def the_user_begins_to_speak(self, heard_ms: int) -> None:
        self.stage.start_speaking(heard_ms=heard_ms)

    @rule()
    def the_user_stops(self) -> None:
        self.stage.stop_speaking()

    @rule(reply=REPLIES)
    def the_user_is_about_to_be_answered(self, reply: tuple[Part, ...]) -> None:
        """The way to where most can go wrong."""
        self.stage.utter()
        while self.stage.pending(Transcribe):
            self.stage.hear(GREETING)
        if self.stage.pending(Think):
            self.stage.think(reply)

    @rule(ms=MILLISECONDS)
    def time_passes(self, ms: int) -> None:
        self.stage.clock += ms

    # The engines

    @precondition(lambda self: self.stage.pending(Transcribe))
    @rule(text=st.one_of(st.none(), WORDS), last=st.booleans())
    def the_recognizer_answers(self, text: str | None, *, last: bool) -> None:
        self.stage.hear(text, nth=-1 if last else 0)

    @precondition(lambda self: self.stage.pending(Think))
    @rule(reply=REPLIES)
    def a_reply_is_found(self, reply: tuple[Part, ...]) -> None:
        self.stage.think(reply)

    @precondition(lambda self: self.stage.pending(Think))
    @rule(part=PARTS)
    def a_part_of_a_reply_is_found(self, part: Part) -> None:
        self.stage.think_on(part)

    @precondition(lambda self: self.stage.pending(Speak))
    @rule(ms=MILLISECONDS)
    def a_sentence_is_queued(self, ms: int) -> None:
        self.stage.synthesize(ms)

    @precondition(lambda self: self.stage.pending(Think) or self.stage.pending(Speak))
    @rule()
    def an_engine_fails(self) -> None:
        self.stage.fail()

    @rule()
    def the_sound_begins(self) -> None:
        self.stage.play()

    @rule()
    def the_sound_ends(self) -> None:
        self.stage.drain()

    # What always holds

    @invariant()
    def the_detector_gets_sane_numbers(self) -> None:
        for order in self.stage.pending(Detect):
            assert 0 <= order.threshold <= 1
            assert 0 <= order.prefix_padding_ms <= 10_000
            assert 0 <= order.silence_duration_ms <= 10_000

    def teardown(self) -> None:
        """The engines finish, and everything ends."""
        stage = self.stage
        self._finish()
        assert stage.judge.sounding is None
        assert stage.send("response.create")[0]["type"] == "response.created"
        assert not stage.judge.outside
        self._finish()

    def _finish(self) -> None:
        stage = self.stage
        while stage.pending(Transcribe):
            stage.hear(None)
        while stage.pending(Recognize):
            stage.recognize("a word")
        stage.answer()
        while stage.queued:
            stage.drain()
            stage.answer()
        stage.judge.end()


TestAnyTalk = pytest.mark.timeout(60)(AnyTalk.TestCase)
TestAnyTalk.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
