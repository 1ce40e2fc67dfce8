"""The exercise that a thread is in the middle of, told to the session that goes on with it.

Law: ids and figures only, as JSON; one that is over, or that the catalogue knows no more, is not told.
"""

from __future__ import annotations

import json

from couchvoice.backend.exercises.catalogue import shipped_catalogue
from couchvoice.backend.exercises.guidance import step_block
from couchvoice.backend.exercises.run import Action, Run

_BEGINNING = """\
# Exercise in progress
This thread was in the middle of an exercise. Offer once to go on or to leave it. If they want to go on, call
load_guided_exercise_skill with these values; if not, record the outcome exit."""
_TOLD = ("step_id", "step_index", "step_count", "items_so_far")


def exercise_block(run: Run | None) -> str:
    """Empty when there is none."""
    exercise = shipped_catalogue().of_run(run)
    if run is None or exercise is None or run.is_over:
        return ""
    block = step_block(run, exercise)
    told = {"skill_id": exercise.id, "runtime_action": Action.CONTINUE.value} | {
        name: block[name] for name in _TOLD if name in block
    }
    return f"{_BEGINNING}\n{json.dumps(told)}"
