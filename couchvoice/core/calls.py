"""A function call of the model's, as far as it has got.

Law: the state only moves forward, and a call that was dropped never ran.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

WAIT_FOR_USER = "wait_for_user"


class CallState(enum.Enum):
    WAITING = "waiting"  # for the transcript that holds its user_quote
    RUNNING = "running"  # the owner was asked to call the tool
    FINISHED = "finished"  # the result is here, the model does not have it yet
    ANSWERED = "answered"  # function_call_output is sent
    DROPPED = "dropped"  # its response was cancelled before it ran


@dataclass(slots=True)
class Call:
    call_id: str
    name: str
    arguments: Mapping[str, Any]
    response_id: str
    output_index: int
    asked_at: float
    state: CallState = CallState.WAITING
    started_at: float = 0.0
    ms: float | None = None
    output: Mapping[str, Any] | None = None
    error: str | None = None
    runs_on: bool = False  # the output says no more than that the tool has begun

    @property
    def unfinished(self) -> bool:
        return self.state in (CallState.WAITING, CallState.RUNNING)

    @property
    def settled(self) -> bool:
        return self.state in (CallState.ANSWERED, CallState.DROPPED)

    @property
    def quote(self) -> str | None:
        """The user's words that the call leans on."""
        quote = self.arguments.get("user_quote")
        return quote if isinstance(quote, str) and quote.strip() else None

    @property
    def wants_response(self) -> bool:
        """False for ``wait_for_user`` and every tool whose output says ``should_respond: false``."""
        return self.name != WAIT_FOR_USER and not (self.output and self.output.get("should_respond") is False)


def read_arguments(text: str | None) -> dict[str, Any]:
    """The arguments of a call. Never raises: what is no JSON object becomes ``{}``."""
    try:
        arguments = msgspec.json.decode(text or "{}")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
