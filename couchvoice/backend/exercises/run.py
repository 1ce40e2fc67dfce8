"""A run of an exercise: the state machine. Pure: what happened goes in, the new state and what to do come out.

    begin ─ load ─┬─ complete ─ the next step, after the last one: over
                  ├─ partial, hold ─ the same step          (items that were named count)
                  ├─ stuck ─ the same step, made smaller
                  └─ exit ─ over        unsafe ─ over, and the crisis path

Law: exit and unsafe are taken always, whatever else is wrong with the call; everything else only for the exercise and
the step that is on. UNSAFE > EXIT > STUCK > COMPLETE > PARTIAL > HOLD where several could be meant.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, replace

from couchvoice.backend.exercises.exercise import Completion, Exercise, Step


class Phase(enum.StrEnum):
    STARTED = "started"  # chosen, its first step not loaded yet
    RUNNING = "running"
    COMPLETED = "completed"
    EXITED = "exited"
    UNSAFE = "unsafe"


class Outcome(enum.StrEnum):
    """What came of a step. In the order in which they win."""

    UNSAFE = "unsafe"
    EXIT = "exit"
    STUCK = "stuck"
    COMPLETE = "complete"
    PARTIAL = "partial"
    HOLD = "hold"


class Action(enum.StrEnum):
    """What is to be done next."""

    START = "start"
    CONTINUE = "continue"
    HOLD = "hold"
    REPAIR = "repair"
    ADVANCE = "advance"
    COMPLETE = "complete"
    EXIT = "exit"
    CRISIS = "crisis"


class Rejected(enum.StrEnum):
    """Why nothing was changed."""

    NO_EXERCISE = "no_exercise_in_progress"
    NOT_LOADED = "step_not_loaded"
    WRONG_SKILL = "wrong_skill"
    WRONG_STEP = "wrong_step"
    OVER = "exercise_is_over"


OVER = frozenset({Phase.COMPLETED, Phase.EXITED, Phase.UNSAFE})
_AT_A_STEP = frozenset({Action.START, Action.CONTINUE, Action.HOLD, Action.REPAIR, Action.ADVANCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """``step`` from 0. ``items`` and ``stuck``: how many were named, and how often it was stuck, in this step."""

    exercise_id: str
    approach: str | None = None
    phase: Phase = Phase.STARTED
    step: int = 0
    items: int = 0
    stuck: int = 0

    @property
    def is_over(self) -> bool:
        return self.phase in OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the model says about a step. ``items``: how many the person named now; ``answered``: they said something."""

    skill_id: str
    step_id: str
    outcome: Outcome
    items: int = 0
    answered: bool = True


def weighed(told: Outcome, heard: Collection[Outcome]) -> Outcome:
    """What the model told and what the person's own words say: the one that wins."""
    order = list(Outcome)
    return min((told, *heard), key=order.index)


def load(
    run: Run | None, exercise: Exercise | None, *, skill_id: str, action: Action, step: int | None
) -> Run | Rejected:
    """``exercise`` is the run's; ``step`` None: the one that is on."""
    if run is None or exercise is None:
        return Rejected.NO_EXERCISE
    if skill_id != run.exercise_id:
        return Rejected.WRONG_SKILL
    if step not in (None, run.step):
        return Rejected.WRONG_STEP
    if run.is_over:
        return Rejected.OVER if action in _AT_A_STEP else run
    return replace(run, phase=Phase.RUNNING)


def record(run: Run | None, exercise: Exercise | None, progress: Progress) -> tuple[Run | None, Action] | Rejected:
    """``exercise`` is the run's."""
    if progress.outcome is Outcome.UNSAFE:
        return (replace(run, phase=Phase.UNSAFE) if run is not None else None), Action.CRISIS
    if progress.outcome is Outcome.EXIT:
        return (replace(run, phase=Phase.EXITED) if run is not None and not run.is_over else run), Action.EXIT
    if run is None or exercise is None:
        return Rejected.NO_EXERCISE
    if run.is_over:
        return Rejected.OVER
    if progress.skill_id != run.exercise_id:
        return Rejected.WRONG_SKILL
    if progress.step_id != exercise.steps[run.step].id:
        return Rejected.WRONG_STEP
    if run.phase is Phase.STARTED:
        return Rejected.NOT_LOADED
    return _step(run, exercise, progress)


def _step(run: Run, exercise: Exercise, progress: Progress) -> tuple[Run, Action]:
    step = exercise.steps[run.step]
    if progress.outcome is Outcome.STUCK:
        return replace(run, stuck=run.stuck + 1), Action.REPAIR
    if progress.outcome is Outcome.HOLD:
        return run, Action.HOLD
    run = replace(run, items=min(run.items + progress.items, step.target_items or 0), stuck=0)
    if not _is_done(step, run.items, progress):
        return run, Action.CONTINUE
    if run.step + 1 == len(exercise.steps):
        return replace(run, phase=Phase.COMPLETED), Action.COMPLETE
    return replace(run, step=run.step + 1, items=0, stuck=0), Action.ADVANCE


def _is_done(step: Step, items: int, progress: Progress) -> bool:
    complete = progress.outcome is Outcome.COMPLETE
    if step.completion_mode is Completion.ITEMS:
        assert step.target_items is not None  # checked as it was read
        assert step.min_items is not None  # checked as it was read
        return items >= step.target_items or (complete and items >= step.min_items)
    if step.completion_mode is Completion.RESPONSE:
        return complete and progress.answered
    return complete
