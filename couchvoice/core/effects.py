"""What the session asks its owner to do.

Law: effects are orders, performed in the order in which they stand; the owner never answers one by itself,
it feeds the result back as an input. Notices travel the same way, so that watchers see them in order too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from couchvoice.core.client_events import ClientEvent
from couchvoice.core.notices import Notice, Problem
from couchvoice.core.turn import FinishedTurn, Line


@dataclass(frozen=True, slots=True)
class SendEvent:
    event: ClientEvent


@dataclass(frozen=True, slots=True)
class CallTool:
    """Run a tool through the backend; feed the result to ``Session.tool_finished``."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    current_user_message: str
    transcript: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class RecordTurn:
    turn: FinishedTurn


@dataclass(frozen=True, slots=True)
class FlushPlayback:
    """What is queued for the speaker must not be heard any more."""


@dataclass(frozen=True, slots=True)
class EndSession:
    """The provider reported an error after which it serves no more."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class UpdateAnswered:
    """The ``session.update`` that was sent holds now; or, with a ``problem``, it does not. Tell whoever waits."""

    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class SpeakText:
    """A written answer is to be spoken here. Feed ``OutputBufferStarted`` and ``OutputBufferStopped`` as it sounds."""

    response_id: str
    text: str


Order = SendEvent | CallTool | RecordTurn | FlushPlayback | EndSession | UpdateAnswered | SpeakText
Effect = Order | Notice
