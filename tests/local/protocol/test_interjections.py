"""Whatever comes at whatever moment of a turn: every response ends, what sounds is closed, the order holds.

Exhaustive where test_dialogue_properties.py is random: each interjection, and each with a decisive second one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from couchvoice.local.protocol.client_event import InputAppend, OutputClear
from couchvoice.local.protocol.orders import Speak, Think, Transcribe
from tests.local.staged import MEMORY, STORY, Stage

Move = Callable[[Stage], object]


def hear(text: str | None) -> Move:
    return lambda stage: stage.pending(Transcribe) and stage.hear(text)


def think(stage: Stage) -> object:
    return stage.pending(Think) and stage.think()


def synthesize(stage: Stage) -> object:
    return stage.pending(Speak) and stage.synthesize()


def synthesize_nothing(stage: Stage) -> object:
    return stage.pending(Speak) and stage.synthesize(0)


def fail(stage: Stage) -> object:
    return (stage.pending(Think) or stage.pending(Speak)) and stage.fail()


def send(kind: str, **fields: Any) -> Move:
    return lambda stage: stage.send(kind, **fields)


def of_newest(kind: str, **fields: Any) -> Move:
    """About the item that was added last."""
    return lambda stage: stage.send(kind, item_id=(stage.judge.items or ["nobody"])[-1], **fields)


def put_output(stage: Stage) -> None:
    """With its call: an output of none is refused."""
    for item in (CALL, OUTPUT):
        stage.send("conversation.item.create", item=item)


def detection(**fields: Any) -> Move:
    return send("session.update", session={"audio": {"input": {"turn_detection": fields or None}}})


TURN: tuple[Move, ...] = (
    Stage.start_speaking,
    Stage.stop_speaking,
    hear(STORY),
    think,
    synthesize,
    Stage.play,
    synthesize,
    Stage.drain,
    synthesize,
    Stage.drain,
    Stage.utter,
    hear(MEMORY),
    think,
    synthesize,
    Stage.drain,
)
MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_audio"}]}
CALL = {"type": "function_call", "name": "t", "call_id": "c", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "{}"}
INTERJECTIONS: dict[str, Move] = {
    "speech": Stage.start_speaking,
    "silence": Stage.stop_speaking,
    "words": hear("also"),
    "no words": hear(None),
    "failure": fail,
    "no sound": synthesize_nothing,
    "play": Stage.play,
    "drain": Stage.drain,
    "cancel": send("response.cancel"),
    "clear": send("output_audio_buffer.clear", heard_ms=10),
    "create": send("response.create"),
    "create text": send("response.create", response={"output_modalities": ["text"]}),
    "commit": send("input_audio_buffer.commit"),
    "clear input": send("input_audio_buffer.clear"),
    "message": send("conversation.item.create", item=MESSAGE, previous_item_id="root"),
    "output": put_output,
    "delete": of_newest("conversation.item.delete"),
    "truncate": of_newest("conversation.item.truncate", audio_end_ms=0),
    "retrieve": of_newest("conversation.item.retrieve"),
    "no detection": detection(),
    "no interruption": detection(type="server_vad", interrupt_response=False),
    "no answer": detection(type="server_vad", create_response=False),
    "text": send("session.update", session={"output_modalities": ["text"]}),
}

DECISIVE = ("speech", "silence", "failure", "play", "drain", "cancel", "clear", "create")


def finish(stage: Stage) -> None:
    """The engines do what they still have to."""
    while stage.pending(Transcribe):
        stage.hear(None)
    stage.answer()
    while stage.queued:
        stage.drain()
        stage.answer()
    stage.judge.end()
    assert stage.judge.sounding is None


def turn_with(*interjections: Move, moment: int, foreign: type[InputAppend] | type[OutputClear] = InputAppend) -> None:
    stage = Stage(foreign=foreign)
    for move in (*TURN[:moment], *interjections, *TURN[moment:]):
        move(stage)
    finish(stage)


@pytest.mark.parametrize("name", INTERJECTIONS)
def test_an_interjection_at_any_moment_leaves_nothing_open(name: str) -> None:
    for moment in range(len(TURN)):
        turn_with(INTERJECTIONS[name], moment=moment)


@pytest.mark.row("O6")
@pytest.mark.parametrize("name", INTERJECTIONS)
def test_an_interjection_leaves_nothing_open_where_sound_is_sent(name: str) -> None:
    for moment in range(len(TURN)):
        turn_with(INTERJECTIONS[name], moment=moment, foreign=OutputClear)


@pytest.mark.parametrize("first", INTERJECTIONS)
def test_two_interjections_at_any_moment_leave_nothing_open(first: str) -> None:
    for second, moment in product(DECISIVE, range(len(TURN))):
        turn_with(INTERJECTIONS[first], INTERJECTIONS[second], moment=moment)


@pytest.mark.parametrize("name", INTERJECTIONS)
def test_a_turn_that_breaks_off_can_be_ended(name: str) -> None:
    for moment in range(len(TURN)):
        stage = Stage()
        for move in (*TURN[:moment], INTERJECTIONS[name]):
            move(stage)
        finish(stage)
