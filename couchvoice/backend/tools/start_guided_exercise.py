"""start_guided_exercise: choose an exercise and begin it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field

from couchvoice.backend.approaches import Approach
from couchvoice.backend.exercises import Action, Exercise, Run, shipped_catalogue
from couchvoice.backend.exercises.choice import ANY, CATEGORIES, choose
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools.definition import ToolContext, tool

_INSTRUCTION = (
    "Say in one sentence what the exercise is called and how long it takes, then call load_guided_exercise_skill with "
    "this skill_id and runtime_action. Say its first step only after that."
)


@tool(side_effect="exercise", retry_safe=True)
async def start_guided_exercise(
    exercise_type: Annotated[str, Field(min_length=1, max_length=80)],
    context: ToolContext,
    therapeutic_approach: Approach | None = None,
) -> dict[str, Any]:
    """Begin a guided exercise that the person has agreed to. It replaces one that is in progress.

    Args:
        exercise_type: the id or the name of the exercise; when the person named none, its category or "any", so that
            one is chosen that they did not just have
        therapeutic_approach: what it should lean on, if that matters
    """
    exercise = choose(
        shipped_catalogue(),
        exercise_type,
        said=context.said[0] if context.said else "",
        recent=await context.exercises.recent(context.place),
        approach=therapeutic_approach,
    )
    if exercise is None:
        known = ", ".join((*CATEGORIES, ANY))
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_exercise",
            f"there is no such exercise: name one of list_guided_exercise_skills, or one of {known}",
        )
    if not exercise.voice_supported:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, "exercise_not_for_voice", f"{exercise.id} cannot be done by voice"
        )
    await context.exercises.begin(context.place, Run(exercise_id=exercise.id, approach=therapeutic_approach))
    return {
        "skill_id": exercise.id,
        "display_name": exercise.display_name,
        "duration_seconds": exercise.duration_seconds,
        "step_count": len(exercise.steps),
        "step_index": 0,
        "step_id": exercise.steps[0].id,
        "runtime_action": Action.START.value,
        "response_instruction": _INSTRUCTION,
        "response_text": f"{exercise.display_name}. It takes about {_minutes(exercise)}.",
    }


def _minutes(exercise: Exercise) -> str:
    minutes = max(1, round(exercise.duration_seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"
