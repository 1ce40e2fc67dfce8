"""The talks that the foreign Realtime end plays: what providers do, and what they should not do.

Each function builds one scenario; its docstring says what is remarkable in it. Nothing is asserted here.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.e2e.scenario import DRAIN_MS, Call, Event, Say, Scenario, Step

QUESTION = "What is the weather like?"
ANSWER = "Sunny and mild today."
SECOND_QUESTION = "And tomorrow?"
SECOND_ANSWER = "Rain in the afternoon."
PREAMBLE = "One moment."
LONG_ANSWER = Say("The first of seven long chapters", audio_ms=6000)
LOOKUP = Call("answer_grounded_lookup", "call_lookup", {"query": "weather"})
STATUS = Call("show_memory_status", "call_status")
BIG = 200_000  # characters: below the 262,144 bytes that both ends advertise
DIGITS = 5_000  # more than Python's int() takes from a string
DEPTH = 50_000  # levels of nesting


def _opening(**options: Any) -> Scenario:
    scenario = Scenario(**options)
    scenario.on("open", scenario.session_created())
    return scenario


def _simple_turn(scenario: Scenario) -> None:
    scenario.hear(1, *scenario.transcript(1, QUESTION), *scenario.response("1", Say(ANSWER)))


def plain_turn(*, buffer_events: bool = True) -> Scenario:
    """One question, one answer."""
    scenario = _opening(buffer_events=buffer_events)
    _simple_turn(scenario)
    return scenario


def without_session_created() -> Scenario:
    """The channel opens and the server says nothing until it is spoken to."""
    scenario = Scenario()
    _simple_turn(scenario)
    return scenario


def with_beta_names() -> Scenario:
    """The names of the protocol before GA, as some self-hosted servers still send them."""
    scenario = plain_turn()
    for reaction in scenario.reactions:
        reaction["do"] = [step for old in reaction["do"] if (step := _beta(old)) is not None]
    return scenario


def late_user_transcript() -> Scenario:
    """The first question's text comes after its answer, when the second utterance has begun."""
    scenario = _opening()
    scenario.hear(1, *scenario.response("1", Say(ANSWER)))
    late = scenario.transcript(1, QUESTION)
    then = [*scenario.transcript(2, SECOND_QUESTION), *scenario.response("2", Say(SECOND_ANSWER))]
    scenario.hear(2, *then, meanwhile=[{"wait_ms": 200}, *late])
    return scenario


def assistant_text_first() -> Scenario:
    """The answer is written and being heard before the question's text comes."""
    scenario = _opening()
    *response, stopped = scenario.response("1", Say(ANSWER))
    scenario.hear(1, *response, *scenario.transcript(1, QUESTION), stopped)
    return scenario


def tool_call() -> Scenario:
    """A spoken preamble and a call in one response; the answer in the next."""
    scenario = _opening()
    preamble = Say(PREAMBLE, audio_ms=300)
    scenario.hear(1, *scenario.transcript(1, QUESTION), *scenario.response("1", preamble, LOOKUP))
    _continue(scenario)
    return scenario


def repeated_call() -> Scenario:
    """The call is in arguments.done, output_item.done and response.done, and then its item comes once more."""
    scenario = _opening()
    response, once_more = scenario.response("1", LOOKUP), scenario.response("1", LOOKUP)
    again = [step for step in once_more if step["send"]["type"] == "response.output_item.done"]
    scenario.hear(1, *scenario.transcript(1, QUESTION), *response, *again)
    _continue(scenario)
    return scenario


def parallel_calls() -> Scenario:
    """Two calls in one response."""
    scenario = _opening()
    scenario.hear(1, *scenario.transcript(1, QUESTION), *scenario.response("1", LOOKUP, STATUS))
    _continue(scenario)
    return scenario


def waits_for_user() -> Scenario:
    """The model chooses to say nothing."""
    scenario = _opening()
    silent = scenario.response("1", Call("wait_for_user", "call_wait"))
    scenario.hear(1, *scenario.transcript(1, QUESTION), *silent)
    return scenario


def cancelled_call() -> Scenario:
    """The user speaks on while the model writes a call; the second question is answered without it."""
    scenario = _opening()
    begins, ends = scenario.half_a_call("1", LOOKUP, partial='{"query": "wea')
    scenario.hear(1, *scenario.transcript(1, QUESTION), *begins)
    _second_turn(scenario, meanwhile=ends)
    return scenario


def interrupted() -> Scenario:
    """The user speaks over an answer that is still being made."""
    scenario = _opening()
    scenario.hear(1, *scenario.transcript(1, QUESTION), *scenario.begun("1", LONG_ANSWER))
    _second_turn(scenario, meanwhile=scenario.cut_off("1", LONG_ANSWER))
    return scenario


def spoken_over() -> Scenario:
    """The user speaks over an answer that is made, but not heard out."""
    scenario = _opening()
    *response, _, _ = scenario.response("1", LONG_ANSWER)
    scenario.hear(1, *scenario.transcript(1, QUESTION), *response)
    _second_turn(scenario, meanwhile=scenario.spoken_over("1"))
    return scenario


def garbage() -> Scenario:
    """Everything that is no event, then a turn as if nothing had been."""
    scenario = Scenario()
    scenario.on("open", *garbage_steps(), scenario.session_created())
    _simple_turn(scenario)
    return scenario


def garbage_steps() -> list[Step]:
    texts = [
        "not json",
        "",
        '{"type": "response.created", ',
        "null",
        "[]",
        '"response.done"',
        "{}",
        '{"type": 5}',
        '{"type": "no.such.event", "event_id": "event_x", "wonder": {"deep": [1, 2]}}',
        '{"type": "error", "event_id": "event_x"}',
        '{"type": "error", "event_id": "event_x", "error": "a sentence"}',
        '{"type": "response.done", "event_id": "event_x"}',
        '{"type": "response.done", "event_id": "event_x", "response": null}',
        '{"type": "response.output_item.done", "event_id": "event_x", "item": {"type": "function_call"}}',
        '{"type": "output_audio_buffer.stopped", "event_id": "event_x"}',
        '{"type": "no.such.event", "number": NaN}',
        '{"type": "no.such.event", "number": ' + "7" * DIGITS + "}",
        '{"type": "no.such.event", "nest": ' + "[" * DEPTH + "]" * DEPTH + "}",
        json.dumps({"type": "no.such.event", "text": "x" * BIG}),
        # Lone surrogates: legal JSON, but no UTF-8 can be made of the text.
        r'{"type": "no.such.event", "text": "\ud800"}',
        r'{"type": "conversation.item.input_audio_transcription.delta", "event_id": "event_x", '
        r'"item_id": "item_user_1", "content_index": 0, "delta": "\udfff\ud800"}',
    ]
    binary = base64.b64encode(b"\x00\xff\xfe{").decode()
    return [*({"raw": text} for text in texts), {"binary": binary}]


def active_response() -> Scenario:
    """Server VAD was quicker than the continuation: it is refused, and succeeds when asked for again."""
    scenario = _opening()
    scenario.hear(1, *scenario.transcript(1, QUESTION), *scenario.response("1", LOOKUP))
    begins, ends = scenario.coughed("vad")
    sentence = "Conversation already has an active response in progress: resp_vad."
    refused = scenario.error("conversation_already_has_active_response", sentence)
    scenario.on({"event": "response.create"}, *begins, refused, {"wait_ms": 200}, *ends)
    scenario.on({"event": "response.create", "nth": 2}, *scenario.response("2", Say(ANSWER)))
    return scenario


def expired() -> Scenario:
    """The session reaches its maximum duration after the first turn."""
    scenario = _opening()
    over = scenario.error("session_expired", "Your session hit the maximum duration of 60 minutes.")
    answered = scenario.response("1", Say(ANSWER))
    scenario.hear(1, *scenario.transcript(1, QUESTION), *answered, {"wait_ms": 200}, over)
    return scenario


def gone(how: Step) -> Scenario:
    """The peer ends the connection, or only the data channel, while it is speaking."""
    scenario = _opening()
    begun = scenario.begun("1", LONG_ANSWER)
    scenario.hear(1, *scenario.transcript(1, QUESTION), *begun, {"wait_ms": 600}, how)
    return scenario


def _continue(scenario: Scenario) -> None:
    answer = scenario.response("2", Say(ANSWER))
    # The preamble is heard out first: a real server queues its sound.
    scenario.on({"event": "response.create"}, {"wait_ms": 300 + DRAIN_MS}, *answer)


def _second_turn(scenario: Scenario, *, meanwhile: list[Step]) -> None:
    then = [*scenario.transcript(2, SECOND_QUESTION), *scenario.response("2", Say(SECOND_ANSWER))]
    scenario.hear(2, *then, meanwhile=meanwhile)


_BETA_PREFIXES = {
    "response.output_audio_transcript.": "response.audio_transcript.",
    "response.output_audio.": "response.audio.",
    "conversation.item.added": "conversation.item.created",
}


def _beta(step: Step) -> Step | None:
    """The step in beta's words; None for what beta did not have."""
    if "send" not in step:
        return step
    event: Event = dict(step["send"])
    if event["type"] == "conversation.item.done":
        return None
    for ga, beta in _BETA_PREFIXES.items():
        event["type"] = event["type"].replace(ga, beta)
    return {"raw": json.dumps(event).replace('"output_audio"', '"audio"')}
