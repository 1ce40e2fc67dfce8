"""What the model is told about a run: the step that is on, what may be said now, and how to go on.

Law: every word of it is ours; nothing that the person said is repeated.
"""

from __future__ import annotations

from typing import Any

from couchvoice.backend.exercises.exercise import Completion, Exercise
from couchvoice.backend.exercises.run import Action, Run

OFFER_TO_LEAVE = 2  # times stuck in one step

_ONE_STEP = "Say this step in your own warm words or as it stands, nothing of the next one, and wait for the answer."
_HOW = {
    Action.START: _ONE_STEP,
    Action.ADVANCE: f"Acknowledge in a few words what they did. {_ONE_STEP}",
    Action.CONTINUE: "Acknowledge what they have so far, and ask for what is missing in this step. Nothing new.",
    Action.HOLD: "Give them time: say that you are there, or nothing at all. Do not repeat the step, do not go on.",
    Action.REPAIR: "Say that this is fine, and offer the smaller form of the same step. Do not push.",
    Action.COMPLETE: "The exercise is complete. Close it in one or two sentences, then ask how they are now.",
    Action.EXIT: "The exercise is over. Say that stopping is fine, do not ask why, and ask what they would like now.",
    Action.CRISIS: (
        "Put the exercise aside, it is over. Ask directly whether they are safe now. If the danger is now, urge them "
        "to call the local emergency number. Before you name any help line, call lookup_crisis_resources."
    ),
}
_OFFER = "It was stuck before: offer to leave it there or to choose something else, as well as the smaller form."
_SAY = {
    Action.HOLD: "Take your time. I am here.",
    Action.EXIT: "Then we stop here, and that is fine. What would you like now?",
    Action.CRISIS: "Let us put the exercise aside. Are you safe at this moment?",
}


def step_block(run: Run, exercise: Exercise) -> dict[str, Any]:
    step = exercise.steps[run.step]
    block: dict[str, Any] = {
        "step_id": step.id,
        "step_index": run.step,
        "step_count": len(exercise.steps),
        "instruction": step.instruction,
        "easier": step.easier,
        "completion_mode": step.completion_mode.value,
    }
    if step.completion_mode is Completion.ITEMS:
        block |= {"target_items": step.target_items, "min_items": step.min_items, "items_so_far": run.items}
    return block


def guidance(run: Run, exercise: Exercise, action: Action) -> dict[str, Any]:
    """For the output of a tool."""
    how = _HOW[action]
    if action is Action.REPAIR and run.stuck >= OFFER_TO_LEAVE:
        how = f"{how} {_OFFER}"
    return {
        "skill_id": exercise.id,
        "phase": run.phase.value,
        "runtime_action": action.value,
        "response_instruction": how,
        "response_text": _text(run, exercise, action),
        **({} if run.is_over else step_block(run, exercise)),
    }


def without_exercise(action: Action) -> dict[str, Any]:
    """Of EXIT and CRISIS, when there is no exercise to leave."""
    return {"runtime_action": action.value, "response_instruction": _HOW[action], "response_text": _SAY[action]}


def _text(run: Run, exercise: Exercise, action: Action) -> str:
    if run.is_over and action not in _SAY:
        return exercise.closing
    step = exercise.steps[run.step]
    match action:
        case Action.START:
            return step.instruction
        case Action.ADVANCE:
            return f"Good. {step.instruction}"
        case Action.REPAIR:
            return f"That is fine. {step.easier}"
        case Action.CONTINUE if run.items:
            return f"Good, that makes {run.items} of {step.target_items}. What else?"
        case Action.CONTINUE:
            return f"Let us stay with this step. {step.instruction}"
        case Action.COMPLETE:
            return exercise.closing
        case _:
            return _SAY[action]
