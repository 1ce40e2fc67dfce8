"""What the session tells whoever watches: the view, the JSON lines, the iterator of ``VoiceSession``.

Law: notices are facts for people and logs. Nothing that the talk needs to go on hangs on somebody reading them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from couchvoice.core.state import SessionState
from couchvoice.core.turn import FinishedTurn
from couchvoice.core.usage import Usage


@dataclass(frozen=True, slots=True)
class StateChanged:
    state: SessionState


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """``text`` is cumulative; ``final`` replaces every draft of the same ``item_id``."""

    item_id: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class AssistantTranscript:
    """``text`` is cumulative over all outputs of the response; ``interrupted`` marks one that was cut."""

    response_id: str
    text: str
    final: bool
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ToolActivity:
    """``status``: started; then completed or failed. A tool that takes long is generating first, or is cancelled.

    ``ms`` since it was started; None then.
    """

    name: str
    call_id: str
    status: str
    ms: float | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told of a call: ``output`` is a JSON object, ``{"error": code}`` of a call that failed.

    In place of a field that the user is not shown stands "[private]".
    """

    name: str
    call_id: str
    output: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user spoke over an answer. ``stop_ms``: from then until the last audible sample
    went to the sound card; None when no card can tell."""

    stop_ms: float | None = None
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something failed and the session goes on. ``code`` is stable, ``message`` is for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TurnRecorded:
    """``/turn`` was answered, or given up (``accepted`` false). ``recorded`` is the backend's word."""

    turn: FinishedTurn
    recorded: bool
    accepted: bool


@dataclass(frozen=True, slots=True)
class UsageChanged:
    """What the whole session has used so far."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class MuteChanged:
    """Whether the microphone is muted: silence is sent in its place."""

    muted: bool


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A sound device came, went, or tells something; the talk goes on. ``kind`` is input or output.

    ``status``: ``missing`` at the beginning and looked for; ``lost``; ``replaced`` by the one that is named;
    ``restored``; ``silent``: a microphone that gives nothing but zeros. ``detail``: why, for people.
    """

    kind: str
    status: str
    name: str | None
    detail: str = ""


Notice = (
    StateChanged
    | UserTranscript
    | AssistantTranscript
    | ToolActivity
    | ToolResult
    | Interrupted
    | Problem
    | TurnRecorded
    | UsageChanged
    | MuteChanged
    | DeviceChanged
)
