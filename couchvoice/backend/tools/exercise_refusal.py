"""What the model is told when a call does not fit the exercise that is on: why, and what would fit.

Not an error: the call was understood, and nothing was changed by it.
"""

from __future__ import annotations

from typing import Any

from couchvoice.backend.exercises import Exercise, Rejected, Run

_WHAT_TO_DO = {
    Rejected.NO_EXERCISE: "No exercise is in progress. Begin one with start_guided_exercise, if they want one.",
    Rejected.NOT_LOADED: "Call load_guided_exercise_skill first, say the step, and wait for the answer.",
    Rejected.WRONG_SKILL: "Another exercise is in progress: go on with it, or begin the other one.",
    Rejected.WRONG_STEP: "Another step is on: go on with that one.",
    Rejected.OVER: "This exercise is over. Begin another one with start_guided_exercise, if they want one.",
}


def refusal(why: Rejected, run: Run | None, exercise: Exercise | None) -> dict[str, Any]:
    on: dict[str, Any] = {}
    if run is not None and exercise is not None and not run.is_over:
        on = {
            "expected_skill_id": exercise.id,
            "expected_step_id": exercise.steps[run.step].id,
            "current_step_index": run.step,
        }
    return {"refused": True, "reason": why.value, "response_instruction": _WHAT_TO_DO[why], **on}
