"""list_guided_exercise_skills: which exercises there are, without their steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from couchvoice.backend.approaches import Approach
from couchvoice.backend.exercises import Exercise, shipped_catalogue
from couchvoice.backend.exercises.exercise import Channel
from couchvoice.backend.tools.definition import ToolContext, tool


@tool
async def list_guided_exercise_skills(
    context: ToolContext, therapeutic_approach: Approach | None = None, channel: Channel = "voice"
) -> dict[str, Any]:
    """List the guided exercises. Call it when the person wants to know which there are, or to find one that fits.

    Args:
        therapeutic_approach: only those that belong to it
        channel: voice (what can be done in this talk) or text (all)
    """
    listed = shipped_catalogue().listed(approach=therapeutic_approach, channel=channel)
    return {
        "exercises": [_described(exercise) for exercise in listed],
        "count": len(listed),
        "recent_exercises": await context.exercises.recent(context.place),
        "response_text": _text(listed),
    }


def _described(exercise: Exercise) -> dict[str, Any]:
    said = exercise.model_dump(mode="json", exclude={"steps", "closing", "asked_only"})
    return said | {"step_count": len(exercise.steps), "only_when_asked_for_by_name": exercise.asked_only}


def _text(listed: Sequence[Exercise]) -> str:
    """Three of them: more cannot be kept in mind by listening."""
    names = [exercise.display_name for exercise in listed if not exercise.asked_only][:3]
    if not names:
        return "I have no exercise of that kind."
    return f"I know {len(listed)}, for example: {'; '.join(names)}. Which would you like?"
