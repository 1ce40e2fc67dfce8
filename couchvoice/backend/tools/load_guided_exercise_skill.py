"""load_guided_exercise_skill: the step that is on, in full."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field

from couchvoice.backend.exercises import Action, Rejected, Run, shipped_catalogue
from couchvoice.backend.exercises.guidance import guidance
from couchvoice.backend.exercises.run import load
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools.definition import ToolContext, tool
from couchvoice.backend.tools.exercise_refusal import refusal


@tool(side_effect="exercise", retry_safe=True)
async def load_guided_exercise_skill(
    exercise_type: Annotated[str, Field(min_length=1, max_length=80)],
    runtime_action: Literal["start", "continue", "hold", "repair", "advance", "complete", "exit", "crisis"],
    context: ToolContext,
    current_step_index: Annotated[int, Field(ge=0, le=99)] | None = None,
) -> dict[str, Any]:
    """Read the step of the exercise that is in progress. Call it after start_guided_exercise, and to go on after a
    break; what comes after each answer is what record_guided_exercise_progress returns.

    Args:
        exercise_type: the skill_id of the exercise that is in progress
        runtime_action: as the last tool returned it; "continue" after a break
        current_step_index: the step_index that you believe is on
    """
    action = Action(runtime_action)
    catalogue = shipped_catalogue()
    asked = catalogue.named(exercise_type)
    if asked is None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown_exercise", "there is no such exercise")

    def change(run: Run | None) -> tuple[Run | None, dict[str, Any]]:
        exercise = catalogue.of_run(run)
        loaded = load(run, exercise, skill_id=asked.id, action=action, step=current_step_index)
        if isinstance(loaded, Rejected):
            return run, refusal(loaded, run, exercise)
        assert exercise is not None  # without one nothing is loaded
        return loaded, guidance(loaded, exercise, action)

    return await context.exercises.change(context.place, change)
