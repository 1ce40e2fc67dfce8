"""What a conversation came to since one last looked, as a test compares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from couchvoice.core.notices import UserTranscript
from couchvoice.scenario.measured import Milliseconds, ToolNames, Words
from couchvoice.scenario.observed import ToolUse, Window

USER, ASSISTANT = "the user", "the assistant"


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """``user`` is what was heard, ``text`` what the assistant said to it; ``tools`` are the names of ``calls``.

    ``outcome`` and ``recorded`` are those of the last turn. They and the figures are None where there was none.
    """

    user: Words
    text: Words
    tools: ToolNames
    calls: Sequence[ToolUse]
    outcome: str | None
    recorded: bool | None
    interrupted: bool
    audible: bool
    response_ms: Milliseconds | None
    stop_ms: Milliseconds | None
    problems: Sequence[str]


def reply_of(seen: Window) -> Reply:
    calls, turns, figures = seen.tools, seen.turns, seen.figures()
    return Reply(
        user=Words(seen.user_text, USER),
        text=Words(seen.assistant_text, ASSISTANT),
        tools=ToolNames(call.name for call in calls),
        calls=calls,
        outcome=turns[-1].turn.outcome.value if turns else None,
        recorded=turns[-1].recorded if turns else None,
        interrupted=seen.interrupted,
        audible=seen.audible,
        response_ms=_latest(figures, "response_ms", "the response"),
        stop_ms=_latest(figures, "stop_ms", "the interruption"),
        problems=seen.problems,
    )


def _latest(figures: dict[str, list[float]], name: str, what: str) -> Milliseconds | None:
    return Milliseconds(figures[name][-1], what) if figures.get(name) else None


def is_recorded(seen: Window) -> bool:
    """The turn of the user's last words has been told to the backend, or given up; so has one that nobody began."""
    words = [notice.text for _, notice in seen.notices if isinstance(notice, UserTranscript) and notice.final]
    turns = seen.turns
    return not words or (bool(turns) and turns[-1].turn.user_text.endswith(words[-1]))
