"""What is to be answered, and what answers are made of: the words between a dialogue and whoever replies for it.

Law: a replier keeps nothing of a session. All that it may know of one is in the question.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Say:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: dict[str, Any]


Part = Say | Call


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a called tool gave back; a failed one has "error" in its output."""

    name: str
    arguments: dict[str, Any]
    output: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``heard``: the user's words since the assistant's last message; "" when nothing was understood.

    ``idle``: nobody said anything for as long as the session's idle timeout. ``results``: the outputs that the answer
    is about, if it is about tools. ``tools``: the function tools on offer, as in the session (``name``,
    ``description``, ``parameters``). ``must_call``: a call is required; of this tool, when it names one, of any when it
    is "". ``items``: the conversation as the API shows it, oldest first, with the words of audio in ``transcript``.
    """

    heard: str
    idle: bool = False
    results: Sequence[ToolResult] = ()
    tools: Sequence[Mapping[str, Any]] = ()
    must_call: str | None = None
    instructions: str = ""
    items: Sequence[Mapping[str, Any]] = ()
    max_tokens: int | None = None


class Replier(Protocol):
    """Finds the answer, part by part, in the order of speaking. No part: say nothing. May raise: EngineFailed."""

    def answer(self, question: Question) -> AsyncGenerator[Part, None]: ...
