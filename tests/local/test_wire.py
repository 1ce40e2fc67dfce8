"""The judge of the wire notices what is missing, doubled, swapped or of the wrong type."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError

from couchvoice.local.protocol.client_event import InputAppend, OutputClear
from tests.local.staged import MEMORY, STORY, Stage
from tests.local.wire import WEBRTC_LACKS, WEBSOCKET_LACKS, Event, check_session, validate

# What a session may lack: nothing depends on them.
OPTIONAL = {
    "rate_limits.updated",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.truncated",
    "output_audio_buffer.cleared",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
}
# What may stand before or after its neighbour.
LOOSE = OPTIONAL | {"output_audio_buffer.started", "output_audio_buffer.stopped"}


@cache
def talk() -> list[Event]:
    """A call with a preamble, then an interrupted story."""
    stage = Stage()
    stage.say(MEMORY)
    stage.answer()
    stage.drain()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    stage.start_speaking(heard_ms=500)
    return stage.events


def places(kinds_left_out: set[str]) -> list[int]:
    return [place for place, event in enumerate(talk()) if event["type"] not in kinds_left_out]


def test_the_talk_is_in_order() -> None:
    assert len(check_session(talk()).items) == 5


@pytest.mark.parametrize("place", places(OPTIONAL))
def test_a_missing_event_is_noticed(place: int) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_session(talk()[:place] + talk()[place + 1 :])


@pytest.mark.parametrize("place", range(len(talk())))
def test_a_doubled_event_is_noticed(place: int) -> None:
    with pytest.raises(AssertionError):
        check_session(talk()[: place + 1] + talk()[place:])


@pytest.mark.parametrize("place", [place for place in places(LOOSE) if place + 1 in places(LOOSE)])
def test_two_swapped_events_are_noticed(place: int) -> None:
    before, (first, second), after = talk()[:place], talk()[place : place + 2], talk()[place + 2 :]
    with pytest.raises((AssertionError, ValueError)):
        check_session([*before, second, first, *after])


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("session.created", {"session": {"model": "x"}}),
        ("session.created", {"event_id": 5}),
        ("conversation.item.added", {"item": {"type": "message"}}),
        ("response.done", {"response": {"status": "over"}}),
        ("response.content_part.added", {"part": {"type": "output_audio"}}),
        ("conversation.item.truncated", {"audio_end_ms": "500"}),
        ("output_audio_buffer.started", {"response_id": None}),
        ("response.function_call_arguments.done", {"name": None}),
    ],
)
def test_an_event_that_openais_types_refuse_is_noticed(kind: str, change: dict[str, Any]) -> None:
    event = next(event for event in talk() if event["type"] == kind)
    validate(event)
    with pytest.raises(ValidationError):
        validate(event | change)


@pytest.mark.parametrize(("lacks", "kind"), [(WEBRTC_LACKS, OutputClear), (WEBSOCKET_LACKS, InputAppend)])
def test_an_event_of_the_other_transport_is_noticed(lacks: str, kind: type[InputAppend] | type[OutputClear]) -> None:
    stage = Stage(foreign=kind)
    stage.say(STORY)
    stage.answer()
    with pytest.raises(AssertionError, match="not on this transport"):
        check_session(stage.events, lacks=lacks)
