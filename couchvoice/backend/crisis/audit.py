"""The audit of a turn that is over: did it miss a crisis, and does its answer hold numbers that nobody looked up.

Pure. Law: a number counts as looked up when the lookup of this very turn gave it, and the desk knows that it gave such
a number: what a client says of its tools alone proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from couchvoice.backend.crisis.desk import digits
from couchvoice.backend.crisis.log import CRISIS_TOOLS
from couchvoice.backend.crisis.numbers import invented
from couchvoice.backend.crisis.signs import says_crisis

_LOOKUP = "lookup_crisis_resources"
# An answer that speaks of lines is one of a crisis, whatever was called and said.
_SPEAKS_OF_LINES = re.compile(
    r"\b(?:hot|help|crisis ?|life)[ -]?lines?\b|\bcrisis\b|\bsuicid|\bemergency (?:number|services?|line)\b"
    r"|\bsamaritans\b|\bseelsorge\b|\bnotruf",
    re.I,
)


@dataclass(frozen=True, slots=True, repr=False)
class Heard:
    """What was said in a turn, with its tool calls as the client told them; in memory only."""

    user_text: str
    assistant_text: str
    tool_calls: Sequence[Mapping[str, Any]]


class Verdict(NamedTuple):
    """``numbers``: how many in the answer were invented."""

    missed: bool
    numbers: int


def audit(heard: Heard, *, has_given: Callable[[str], bool]) -> Verdict:
    called = any(call["tool_name"] in CRISIS_TOOLS for call in heard.tool_calls)
    in_danger = says_crisis(heard.user_text)
    if not (called or in_danger or _SPEAKS_OF_LINES.search(heard.assistant_text)):
        return Verdict(False, 0)
    known = {digits(phone) for phone in _looked_up(heard.tool_calls) if has_given(phone)}
    return Verdict(in_danger and not called, invented(heard.assistant_text, looked_up=known))


def _looked_up(calls: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [
        resource
        for call in calls
        if call["tool_name"] == _LOOKUP and call["status"] == "completed"
        for resource in _list(call["output"].get("found_resources"))
    ]
    return [line["phone"] for line in found if isinstance(line, Mapping) and isinstance(line.get("phone"), str)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
