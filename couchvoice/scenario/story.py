"""The story of a conversation in lines of text: what a person reads first when a test of it has failed.

Law: one line for each thing that happened, with its time; no line for what a person does not ask about.
"""

from __future__ import annotations

from collections.abc import Iterator

from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Notice,
    Problem,
    ToolActivity,
    TurnRecorded,
    UserTranscript,
)
from couchvoice.scenario.observed import Observed

EMPTY = "nothing happened"


def told(observed: Observed, *, began: float) -> str:
    """``began``: the loop's time that is zero."""
    lines = [f"{at - began:7.2f} s  {line}" for at, notice in observed.notices for line in _lines(notice)]
    if observed.error is not None:
        lines.append(f"           broken: {observed.error}: {observed.error_text}")
    return "\n".join(lines) or EMPTY


def _lines(notice: Notice) -> Iterator[str]:
    match notice:
        case UserTranscript(text=text, final=True):
            yield f"user: {text}"
        case AssistantTranscript(text=text, final=True, interrupted=interrupted):
            yield f"assistant: {text}{' (interrupted)' if interrupted else ''}"
        case ToolActivity(name=name, status=status, ms=ms):
            yield f"tool: {name} {status}" + (f" ({ms:.0f} ms)" if ms is not None else "")
        case Interrupted(stop_ms):
            yield "interrupted" + (f": quiet after {stop_ms:.0f} ms" if stop_ms is not None else "")
        case TurnRecorded(turn, recorded):
            yield f"turn {turn.index}: {turn.outcome.value}, {'recorded' if recorded else 'not recorded'}"
        case Problem(code, message):
            yield f"problem: {code}: {message}"
        case _:
            return
