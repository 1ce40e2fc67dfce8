"""record_guided_exercise_progress: what came of the step, and what comes next."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from couchvoice.backend.exercises import Outcome, Rejected, Run, shipped_catalogue
from couchvoice.backend.exercises.guidance import guidance, without_exercise
from couchvoice.backend.exercises.run import Progress, record, weighed
from couchvoice.backend.exercises.words import heard_in, items_in
from couchvoice.backend.tools.definition import ToolContext, tool
from couchvoice.backend.tools.exercise_refusal import refusal


@tool(side_effect="exercise", retry_safe=False)
async def record_guided_exercise_progress(
    expected_skill_id: Annotated[str, Field(max_length=80)],
    expected_step_id: Annotated[str, Field(max_length=80)],
    outcome: Literal["complete", "partial", "hold", "stuck", "exit", "unsafe"],
    user_response_summary: Annotated[str, Field(max_length=1000)],
    context: ToolContext,
) -> dict[str, Any]:
    """Record what came of the step that is on. Call it after each answer in an exercise, then follow
    response_instruction.

    Args:
        expected_skill_id: the skill_id of the exercise
        expected_step_id: the step_id of the step
        outcome: complete (done), partial (some of it), hold (they need time), stuck (it does not work for them),
            exit (they want to stop), unsafe (they may come to harm)
        user_response_summary: what they answered, in a few words; where things are to be named, the things, with
            commas between
    """
    # What was said before this turn says nothing about this step.
    words = (context.said[0] if context.said else "", user_response_summary)
    progress = Progress(
        skill_id=expected_skill_id,
        step_id=expected_step_id,
        outcome=weighed(Outcome(outcome), set().union(*map(heard_in, words))),
        items=items_in(user_response_summary),
        answered=bool(user_response_summary.strip()),
    )

    def change(run: Run | None) -> tuple[Run | None, dict[str, Any]]:
        exercise = shipped_catalogue().of_run(run)
        recorded = record(run, exercise, progress)
        if isinstance(recorded, Rejected):
            return run, refusal(recorded, run, exercise)
        after, action = recorded
        if after is None or exercise is None:
            return after, without_exercise(action)
        return after, {"recorded_outcome": progress.outcome.value, **guidance(after, exercise, action)}

    return await context.exercises.change(context.place, change)
