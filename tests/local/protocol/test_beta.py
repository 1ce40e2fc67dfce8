"""What a beta client is sent is judged by OpenAI's beta types, what becomes of its own events by those of GA."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.beta.realtime.session_create_response import SessionCreateResponse
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import TypeAdapter
from starlette.datastructures import Headers

from couchvoice.core.server_events import Unknown, parse_server_event
from couchvoice.local.http.secret_book import SecretRequest
from couchvoice.local.protocol.beta import asks_for_beta, from_beta, secret_request_from_beta, secret_to_beta, to_beta
from couchvoice.local.protocol.beta_session import flattened
from couchvoice.local.protocol.client_event import InputAppend, OutputClear
from couchvoice.local.protocol.session_object import SessionObject
from tests.local.protocol.test_beta_session import SESSION
from tests.local.staged import BOTH, EXPIRES_AT, STORY, TRANSCRIBES, Stage
from tests.local.wire import Event

MODEL = "gpt-realtime"  # the beta types know only the models of their time
RESPONSE: Event = {
    "modalities": ["text"],
    "voice": "ash",
    "output_audio_format": "g711_alaw",
    "max_response_output_tokens": "inf",
    "temperature": 0.6,
    "instructions": "Sing.",
    "metadata": {"topic": "weather"},
    "input": [
        {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
    ],
}
KEYS = st.sampled_from(["type", "role", "content", "input", "audio", "output", "voice", "modalities", *SESSION])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from([["audio"], "pcm16", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@cache
def _adapter(union: Any) -> TypeAdapter[Any]:
    return TypeAdapter(union)


def judge(event: Event, union: Any) -> None:
    """Raises ValidationError unless these types accept the JSON of an event."""
    _adapter(union).validate_json(msgspec.json.encode(event), strict=True)


def names_of(union: Any) -> set[str]:
    members = get_args(get_args(union)[0])
    return {get_args(member.model_fields["type"].annotation)[0] for member in members}


def talk_over(foreign: type[InputAppend] | type[OutputClear]) -> Stage:
    """Tools, a story that is interrupted, a mistake, and whatever a client may ask for."""
    audio = TRANSCRIBES["audio"] | {"output": {"voice": "ash"}}
    stage = Stage({"model": MODEL, "audio": audio}, foreign=foreign)
    stage.say(BOTH)
    stage.answer()
    for call in stage.all("response.function_call_arguments.done"):
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "{}"}
        stage.send("conversation.item.create", item=output)
    stage.send("response.create", response={"metadata": {"topic": "tools"}})
    stage.answer()
    stage.drain()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    spoken = stage.last("response.output_item.added")["item"]["id"]
    stage.say(None)
    stage.answer()
    stage.drain()
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
    stage.send("conversation.item.create", item=said)
    stage.send("conversation.item.retrieve", item_id=spoken)
    stage.send("conversation.item.delete", item_id=spoken)
    stage.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    stage.send("input_audio_buffer.clear")
    stage.send("nonsense")
    return stage


def written_talk() -> Stage:
    stage = Stage({"model": MODEL, "output_modalities": ["text"]})
    stage.say(STORY)
    stage.answer()
    return stage


@cache
def talks() -> list[Event]:
    stages = (talk_over(InputAppend), talk_over(OutputClear), written_talk())
    return [event for stage in stages for event in stage.events]


def in_beta() -> Iterator[Event]:
    return (beta for event in talks() for beta in to_beta(event))


def of(kind: str) -> list[Event]:
    return [event for event in in_beta() if event["type"] == kind]


# Outbound


@pytest.mark.row("O6")
def test_whole_talks_are_sent_in_the_words_of_beta() -> None:
    for event in in_beta():
        judge(event, BetaServerEvent)


def test_the_talks_have_whatever_beta_has_and_this_server_sends() -> None:
    never = {"conversation.created", "transcription_session.updated"}
    assert {event["type"] for event in in_beta()} == names_of(BetaServerEvent) - never


def test_every_event_of_GA_has_a_name_in_beta_or_is_not_sent() -> None:
    for kind in names_of(RealtimeServerEvent):
        for event in to_beta({"type": kind, "event_id": "event_1"}):
            assert event["type"] in names_of(BetaServerEvent)


def test_each_item_is_created_once_and_not_done() -> None:
    created = [event["item"]["id"] for event in of("conversation.item.created")]
    assert created == [event["item"]["id"] for event in talks() if event["type"] == "conversation.item.added"]
    assert of("conversation.item.done") == []


def test_what_the_assistant_said_has_the_old_types() -> None:
    kinds = {
        part["type"]
        for event in of("response.done")
        for item in event["response"]["output"]
        for part in item.get("content", ())
    }
    assert kinds == {"audio", "text"}


def test_a_response_is_flat() -> None:
    response = of("response.created")[0]["response"]
    shown = {name: response[name] for name in ("modalities", "voice", "output_audio_format", "max_output_tokens")}
    assert shown == {
        "modalities": ["audio", "text"],
        "voice": "ash",
        "output_audio_format": "pcm16",
        "max_output_tokens": "inf",
    }
    assert not response.keys() & {"audio", "output_modalities", "max_response_output_tokens"}


def test_a_response_that_says_little_stays_so() -> None:
    assert to_beta({"type": "response.done", "response": {"id": "resp_1"}}) == [
        {"type": "response.done", "response": {"id": "resp_1"}}
    ]


def test_the_session_is_flat() -> None:
    session = of("session.created")[0]["session"]
    assert session["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["input_audio_transcription"] == {"model": "gpt-transcribe"}
    assert (session["voice"], session["speed"], session["input_audio_format"]) == ("ash", 1.0, "pcm16")
    assert (session["modalities"], session["max_response_output_tokens"]) == (["audio", "text"], "inf")
    assert not session.keys() & {"type", "audio", "output_modalities", "max_output_tokens"}
    assert of("session.updated")[0]["session"]["turn_detection"] is None


def test_calls_end_without_their_name() -> None:
    ends = of("response.function_call_arguments.done")
    assert ends
    assert not any("name" in event for event in ends)


def test_what_is_translated_stays_as_it_was() -> None:
    before = copy.deepcopy(talks())
    assert list(in_beta())
    assert talks() == before


@pytest.mark.row("E1")
def test_our_own_client_understands_what_is_sent() -> None:
    """Whatever it acts on in GA, it acts on in beta, but for the items that are done."""
    for event in talks():
        understood = type(parse_server_event(msgspec.json.encode(event).decode()))
        for beta in to_beta(event):
            if understood is not Unknown:
                assert type(parse_server_event(msgspec.json.encode(beta).decode())) is understood


def test_a_secret_comes_inside_its_session() -> None:
    session = SessionObject("sess_1", {"model": MODEL} | TRANSCRIBES, EXPIRES_AT).as_dict()
    shown = secret_to_beta({"value": "ek_1", "expires_at": 7, "session": session})
    SessionCreateResponse.model_validate(shown, strict=True)
    assert shown["client_secret"] == {"value": "ek_1", "expires_at": 7}
    assert {**shown, "client_secret": None} == {**flattened(session), "client_secret": None}


# Inbound


@pytest.mark.row("O6")
def test_a_flat_session_becomes_one_of_GA() -> None:
    update = {"type": "session.update", "event_id": "event_1", "session": SESSION}
    judge(update, BetaClientEvent)
    judge(from_beta(update), RealtimeClientEvent)
    partial = from_beta({"type": "session.update", "session": {"turn_detection": None}})
    assert partial["session"] == {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


@pytest.mark.row("O6")
def test_a_flat_response_is_asked_for() -> None:
    create = {"type": "response.create", "event_id": "event_1", "response": RESPONSE}
    judge(create, BetaClientEvent)
    ga = from_beta(create)
    judge(ga, RealtimeClientEvent)
    response = ga["response"]
    assert response.pop("input")[0]["content"] == [{"type": "output_text", "text": "Hello."}]
    assert response == {
        "output_modalities": ["text"],
        "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcma"}}},
        "max_output_tokens": "inf",
        "instructions": "Sing.",
        "metadata": {"topic": "weather"},
    }


def test_items_of_the_assistant_are_created_with_new_types() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello."}]}
    ga = from_beta({"type": "conversation.item.create", "item": item})
    assert ga["item"]["content"] == [{"type": "output_text", "text": "Hello."}]
    assert Stage().send(ga.pop("type"), **ga)[0]["type"] == "conversation.item.added"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "ash"}}}},
        {"type": "response.create", "response": {"output_modalities": ["text"], "max_output_tokens": 3}},
        {"type": "response.create", "response": None},
        {"type": "response.create"},
        {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "{}"}},
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}, {"type": 3}, "x"]},
        },
        {"type": "conversation.item.create", "item": {"role": "assistant", "content": None}},
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 3},
        {"type": "input_audio_buffer.append", "audio": "AAA="},
    ],
    ids=lambda event: str(event["type"]),
)
def test_events_of_GA_pass_as_they_are(event: Event) -> None:
    assert from_beta(event) == event


@given(st.dictionaries(st.sampled_from(["session", "response", "item", "x"]), JSON, max_size=3), st.data())
def test_whatever_a_client_sends_is_passed_on_and_stays_as_it_was(fields: Event, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["session.update", "response.create", "conversation.item.create", "x", None, 3]))
    raw = {"type": kind, **fields}
    before = copy.deepcopy(raw)
    assert from_beta(raw).keys() == raw.keys()
    assert raw == before


def test_who_asks_for_a_secret_may_say_how_long_it_is_good() -> None:
    body = SESSION | {"client_secret": {"expires_after": {"anchor": "created_at", "seconds": 60}}}
    request = msgspec.convert(secret_request_from_beta(body), SecretRequest)
    assert request.expires_after.seconds == 60
    assert SessionObject("sess_1", request.session, EXPIRES_AT).voice == "verse"
    assert secret_request_from_beta({"voice": "ash", "client_secret": None}) == {
        "session": {"type": "realtime", "audio": {"output": {"voice": "ash"}}}
    }


# Who speaks it


@pytest.mark.parametrize(
    ("headers", "subprotocols", "beta"),
    [
        ({"OpenAI-Beta": "realtime=v1"}, (), True),
        ({"openai-beta": "assistants=v2, realtime=v1"}, (), True),
        ({}, ("realtime", "openai-beta.realtime-v1"), True),
        ({"OpenAI-Beta": "assistants=v2"}, ("realtime",), False),
        ({}, (), False),
    ],
)
def test_a_client_says_that_it_speaks_beta(headers: dict[str, str], subprotocols: tuple[str, ...], beta: bool) -> None:
    assert asks_for_beta(Headers(headers), subprotocols) is beta


def test_a_transcription_session_is_updated_by_its_old_name() -> None:
    raw = {"type": "transcription_session.update", "session": {"input_audio_transcription": {"model": "m"}}}
    session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "m"}}}}
    assert from_beta(raw) == {"type": "session.update", "session": session}
    assert from_beta({"type": "transcription_session.update", "session": 5})["session"] == 5
