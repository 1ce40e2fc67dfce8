"""The script of a conversation: what a file may say, as types. script.schema.json says the same to an editor.

    name: somebody says hello
    steps:
      - say: hello.wav                       the text stands in hello.txt beside it
      - expect: {user: "Hello, can you hear me?", assistant: {contains: hear you}}
      - say: Is memory on?                   what does not end in .wav is spoken by the voice of this machine
      - expect: {tools: [show_memory_status], turn: {outcome: completed}, within: {response_ms: 1500}}

Not what is done with it: steps.py. Law: strict; what a field can be is written here and nowhere else.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_Text = Annotated[str, Meta(min_length=1)]
_Ms = Annotated[float, Meta(ge=0)]
_Seconds = Annotated[float, Meta(gt=0)]
_Count = Annotated[int, Meta(ge=0)]
_Positive = Annotated[int, Meta(ge=1)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]

WAV = ".wav"
DEADLINE = 120.0  # seconds of a whole scenario, on its own clock
PATIENCE = 20.0  # seconds until what is expected must have come
Command = Literal["mute", "unmute", "interrupt", "connect", "hang_up", "restart"]
Moment = Literal["transcript", "tool", "answer", "quiet"]
Status = Literal["started", "generating", "completed", "failed", "cancelled"]
FaultName = Literal["slow", "error", "hang", "duplicate", "late"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whatever is not known is a mistake."""


class Say(_Part, frozen=True, kw_only=True):
    """Speech of the user: a recording, or a text for the voice of this machine."""

    wav: Annotated[_Text | None, Meta(description="A WAV; on the local server NAME.txt beside it has its text")] = None
    text: Annotated[_Text | None, Meta(description="Words for the voice of this machine")] = None
    voice: Annotated[str, Meta(description="Who speaks the text: one of the ten voices")] = "echo"
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] = 1.0
    gain_db: Annotated[float, Meta(ge=-60, le=20, description="How much louder than it is")] = 0.0

    def __post_init__(self) -> None:
        if (self.wav is None) == (self.text is None):
            raise ValueError("say either a wav or a text")


class Interrupt(_Part, frozen=True, kw_only=True):
    """The user breaks in on an answer."""

    after_ms: Annotated[_Ms, Meta(description="So long after the answer began to sound")] = 0.0
    say: Annotated[_Text | Say | None, Meta(description="The words; without any it is the button that stops it")] = None


class Wait(_Part, frozen=True, kw_only=True):
    until: Annotated[
        Moment | None,
        Meta(
            description="transcript: the user's words are known. tool: one was called. answer: it begins to sound. "
            "quiet: nobody speaks and nothing is owed"
        ),
    ] = None
    ms: Annotated[_Ms | None, Meta(description="Or just so long")] = None
    within: Annotated[_Seconds, Meta(description="Seconds; then the scenario has failed")] = PATIENCE

    def __post_init__(self) -> None:
        if (self.until is None) == (self.ms is None):
            raise ValueError("wait either until something, or some ms")


class Fault(_Part, frozen=True, kw_only=True):
    """What goes wrong with calls to the backend."""

    fault: Annotated[
        FaultName,
        Meta(
            description="slow: the answer comes after ms. error: it is a refusal with this status. hang: none comes. "
            "duplicate: the request arrives twice. late: the answer comes ms after the user has interrupted"
        ),
    ]
    ms: _Ms = 3000.0
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    times: Annotated[_Positive | None, Meta(description="Only the first so many calls")] = None


class TextCheck(_Part, frozen=True, kw_only=True):
    """All that is given must hold. Texts are compared as they are, but for the spaces between words."""

    equals: str | None = None
    contains: str | list[str] | None = None
    matches: Annotated[str | None, Meta(description="A regular expression that is found in it")] = None
    lacks: str | list[str] | None = None
    judge: Annotated[str | None, Meta(description="A sentence that a chat model must find to be true of it")] = None

    def __post_init__(self) -> None:
        if self.matches is not None:
            _check_expression(self.matches)


class ToolCheck(_Part, frozen=True, kw_only=True):
    name: _Text
    arguments: Annotated[dict[str, Any] | None, Meta(description="These are among the arguments")] = None
    output: Annotated[dict[str, Any] | None, Meta(description="These are among what came of it")] = None
    status: Annotated[Status | None, Meta(description="completed, unless a fault is expected")] = None
    error: Annotated[str | None, Meta(description="The code of its failure")] = None
    before: Annotated[
        str | None, Meta(description="It had ended before the assistant said anything that this expression finds")
    ] = None

    def __post_init__(self) -> None:
        if self.before is not None:
            _check_expression(self.before)


class TurnCheck(_Part, frozen=True, kw_only=True):
    """The last turn that was recorded, as the backend was told of it."""

    outcome: Literal["completed", "interrupted", "connection_interrupted"] | None = None
    recorded: Annotated[bool | None, Meta(description="The backend keeps it")] = None
    user_text: str | TextCheck | None = None
    assistant_text: str | TextCheck | None = None
    tool_calls: Annotated[list[str] | None, Meta(description="Their names, in order")] = None


class HistoryCheck(_Part, frozen=True, kw_only=True):
    """What the backend has of the thread now."""

    messages: _Count | None = None
    finalized: Annotated[bool | None, Meta(description="Its session was ended, by whomever, and summed up")] = None
    text: Annotated[str | TextCheck | None, Meta(description="All of it, one message a line")] = None
    turn: Annotated[
        dict[str, Any] | None,
        Meta(description="These are among the fields of the last turn: route, tool_calls, diagnostics and others"),
    ] = None


class Limits(_Part, frozen=True, kw_only=True):
    """At most so many milliseconds; of several figures of a kind the p95 (nearest rank) counts."""

    connect_ms: _Ms | None = None
    first_transcript_ms: _Ms | None = None
    stt_ms: Annotated[_Ms | None, Meta(description="From the end of the user's words to their text")] = None
    response_ms: Annotated[_Ms | None, Meta(description="From the end of the user's words to the first sound")] = None
    stop_ms: Annotated[_Ms | None, Meta(description="From an interruption to the last audible sample")] = None
    tool_ms: _Ms | None = None


class Expect(_Part, frozen=True, kw_only=True):
    """What has happened since the last ``expect`` (or, at the end of the file, in the whole conversation).

    It waits until nobody speaks and nothing is owed. All that is given must hold.
    """

    user: Annotated[str | TextCheck | None, Meta(description="What the user was heard to say")] = None
    assistant: Annotated[str | TextCheck | None, Meta(description='What the assistant said; "" for nothing')] = None
    tools: Annotated[
        list[str | ToolCheck] | None, Meta(description="Exactly these calls, in this order; [] for none")
    ] = None
    tools_among: Annotated[list[str | ToolCheck] | None, Meta(description="These, in any order, and others")] = None
    no_tools: Annotated[list[str] | None, Meta(description="None of these")] = None
    turn: TurnCheck | None = None
    turns: Annotated[_Count | None, Meta(description="So many were recorded")] = None
    interrupted: bool | None = None
    audio: Annotated[bool | None, Meta(description="Whether the assistant could be heard")] = None
    within: Limits | None = None
    problems: Annotated[list[str] | None, Meta(description="The codes of what went wrong; [] for nothing")] = None
    error: Annotated[str | None, Meta(description="The code of why the talk could not begin, or broke off")] = None
    finalized: Annotated[bool | None, Meta(description="The backend's word when the talk was ended")] = None
    end_detail: Annotated[str | TextCheck | None, Meta(description="Its sentence about that")] = None
    history: HistoryCheck | None = None
    audit: Annotated[
        list[str] | None,
        Meta(
            description="What the embedded backend's audits of the turns have found, in any order: missed_crisis, "
            "invented_number; [] for nothing"
        ),
    ] = None
    patience: Annotated[_Seconds, Meta(description="Seconds until it must hold")] = PATIENCE


class Step(_Part, frozen=True, kw_only=True):
    """One thing: either of these."""

    say: Annotated[_Text | Say | None, Meta(description="FILE.wav, or words; returns with the last sample")] = None
    silence: Annotated[_Ms | None, Meta(description="Milliseconds in which the user says nothing")] = None
    type: Annotated[_Text | None, Meta(description="A typed line")] = None
    interrupt: Interrupt | None = None
    wait: Moment | _Ms | Wait | None = None
    weather: Annotated[str | dict[str, Any] | None, Meta(description="The network from now on")] = None
    faults: Annotated[
        dict[str, FaultName | Fault | None] | None,
        Meta(description="By the name of a tool, or session, turn, end: what goes wrong from now on; null for nothing"),
    ] = None
    expect: Expect | None = None
    include: Annotated[str | None, Meta(description="The steps of another file, in place of this one")] = None

    def __post_init__(self) -> None:
        if len(self.verbs) != 1:
            known = ", ".join(self.__struct_fields__)
            raise ValueError(f"a step is one of {known}; this one has {' and '.join(self.verbs) or 'none'}")

    @property
    def verbs(self) -> list[str]:
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class Script(_Part, frozen=True, kw_only=True):
    """A scripted conversation."""

    name: Annotated[_Name | None, Meta(description="Default: the file's, without its ending")] = None
    description: str | None = None
    memory: Literal["incognito", "persistent"] = "incognito"
    user: Annotated[str | None, Meta(description="User id for the backend")] = None
    voice: Annotated[str | None, Meta(description="The assistant's")] = None
    language: str | None = None
    modality: Annotated[Literal["audio", "text"], Meta(description="How the assistant answers")] = "audio"
    through: Annotated[
        Literal["session", "gateway"],
        Meta(description="Whom the secret is asked of: the session endpoint, or the gateway's /realtime_session"),
    ] = "session"
    replies: Annotated[str | None, Meta(description="A file of rules for the local server")] = None
    recordings: Annotated[list[str], Meta(description="WAVs that are known besides those that are said")] = []
    session: Annotated[
        dict[str, Any], Meta(description="Settings of the embedded backend, such as silence_duration_ms")
    ] = {}
    provider_faults: Annotated[
        list[dict[str, Any]], Meta(description="For each call to the local server, as in a file for --faults")
    ] = []
    faults: Annotated[dict[str, FaultName | Fault], Meta(description="From the beginning; see the step")] = {}
    weather: Annotated[str | dict[str, Any] | None, Meta(description="From the beginning; see the step")] = None
    vars: Annotated[dict[str, Any], Meta(description="Values for ${name}")] = {}
    cases: Annotated[
        list[dict[str, Any]], Meta(description="Each row is a scenario of its own: values for ${…}, and its name")
    ] = []
    include: Annotated[str | list[str] | None, Meta(description="Files whose fields count where this has none")] = None
    steps: Annotated[list[Step | Command], Meta(min_length=1)]
    expect: Expect | None = None
    slo: Annotated[
        Limits | None, Meta(description="Of the whole conversation; on the local server connect and response: 1500 ms")
    ] = None
    deadline: Annotated[_Seconds, Meta(description="Seconds of the whole conversation, on its own clock")] = DEADLINE


def _check_expression(expression: str) -> None:
    try:
        re.compile(expression)
    except re.error as exc:
        raise ValueError(f"not a regular expression: {exc}") from exc
