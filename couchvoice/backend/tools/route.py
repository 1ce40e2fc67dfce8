"""The route and the response style of a turn, read off the tools that it called.

Law: the same calls always give the same answer, in whatever order they were made: crisis before grounded lookup,
before memory control, before a guided exercise, before therapeutic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from couchvoice.backend.skills import ResponseStyle
from couchvoice.backend.tools.catalogue import CATALOGUE, CRISIS, GUIDED_EXERCISE, THERAPEUTIC
from couchvoice.contract import ToolCallRecord

RESPONSE_STYLES: tuple[str, ...] = get_args(ResponseStyle)

_SKILL = "load_therapeutic_response_skill"
_PROGRESS = "record_guided_exercise_progress"
# Whoever is in danger is supported, whatever skill was loaded besides; an exercise is a technique.
_STYLE_OF_ROUTE = {CRISIS: "supportive", GUIDED_EXERCISE: "technique"}


class TurnRoute(NamedTuple):
    """``response_style``: None when no tool says one."""

    route: str = THERAPEUTIC
    response_style: str | None = None


def route_of(calls: Sequence[ToolCallRecord]) -> TurnRoute:
    """A call counts whatever came of it: a crisis lookup that failed is a crisis all the same."""
    known = [CATALOGUE[call.tool_name] for call in calls if call.tool_name in CATALOGUE]
    routed = [(entry.priority, entry.route) for entry in known if entry.priority is not None]
    if any(call.tool_name == _PROGRESS and call.output.get("runtime_action") == CRISIS for call in calls):
        routed.append((0, CRISIS))  # an exercise that became unsafe, also before anything was looked up
    _, route = min(routed, default=(0, THERAPEUTIC))
    loaded = None if route == CRISIS else _loaded_style(calls)
    return TurnRoute(route, loaded or _STYLE_OF_ROUTE.get(route))


def _loaded_style(calls: Sequence[ToolCallRecord]) -> str | None:
    """Of the last skill that was loaded."""
    styles = [
        call.output.get("response_style") for call in calls if call.tool_name == _SKILL and call.status == "completed"
    ]
    known = [style for style in styles if style in RESPONSE_STYLES]
    return str(known[-1]) if known else None
