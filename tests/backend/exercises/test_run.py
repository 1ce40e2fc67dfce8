"""The state machine of an exercise, by cases and by any order of what may happen."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from couchvoice.backend.exercises import Action, Exercise, Outcome, Phase, Rejected, Run, shipped_catalogue
from couchvoice.backend.exercises.exercise import Completion
from couchvoice.backend.exercises.guidance import guidance
from couchvoice.backend.exercises.run import Progress, load, record, weighed
from couchvoice.backend.exercises.words import heard_in, items_in

EXERCISES = {exercise.id: exercise for exercise in shipped_catalogue().exercises}
SENSES = EXERCISES["grounding_5_4_3_2_1"]
VALUES = EXERCISES["defusion_values_compass"]


def running(exercise: Exercise, **fields: int) -> Run:
    return Run(exercise_id=exercise.id, phase=Phase.RUNNING, **fields)


def recorded(run: Run, exercise: Exercise, outcome: Outcome, **fields: object) -> tuple[Run, Action]:
    step_id = exercise.steps[run.step].id
    progress = Progress(skill_id=exercise.id, step_id=step_id, outcome=outcome, **fields)  # type: ignore[arg-type]
    result = record(run, exercise, progress)
    assert not isinstance(result, Rejected)
    after, action = result
    assert after is not None
    return after, action


@pytest.mark.row("H10")
def test_an_exercise_goes_from_its_first_step_to_its_end() -> None:
    for exercise in EXERCISES.values():
        begun = load(
            Run(exercise_id=exercise.id), exercise, skill_id=exercise.id, action=Action.START, step=0
        )  # fmt: skip
        assert isinstance(begun, Run)
        run, actions = begun, []
        for _ in exercise.steps:
            run, action = recorded(run, exercise, Outcome.COMPLETE, items=9)
            actions.append(action)
        assert actions == [Action.ADVANCE] * (len(exercise.steps) - 1) + [Action.COMPLETE]
        assert run.phase is Phase.COMPLETED


@pytest.mark.row("H10")
@pytest.mark.parametrize(
    ("step", "outcome", "named", "action"),
    [
        (0, Outcome.PARTIAL, 3, Action.CONTINUE),
        (0, Outcome.COMPLETE, 2, Action.CONTINUE),
        (0, Outcome.COMPLETE, 3, Action.ADVANCE),
        (0, Outcome.PARTIAL, 5, Action.ADVANCE),
        (1, Outcome.COMPLETE, 1, Action.CONTINUE),
        (1, Outcome.COMPLETE, 2, Action.ADVANCE),
        (2, Outcome.COMPLETE, 2, Action.ADVANCE),
        (3, Outcome.PARTIAL, 1, Action.CONTINUE),
        (3, Outcome.COMPLETE, 1, Action.ADVANCE),
        (4, Outcome.COMPLETE, 0, Action.CONTINUE),
        (4, Outcome.PARTIAL, 1, Action.COMPLETE),
    ],
)
def test_things_to_name_are_counted(step: int, outcome: Outcome, named: int, action: Action) -> None:
    assert recorded(running(SENSES, step=step), SENSES, outcome, items=named)[1] is action


@pytest.mark.row("H10")
def test_what_was_named_before_counts_and_the_next_step_begins_anew() -> None:
    run, action = recorded(running(SENSES), SENSES, Outcome.PARTIAL, items=2)
    assert (run.items, action) == (2, Action.CONTINUE)
    run, action = recorded(run, SENSES, Outcome.COMPLETE, items=1)
    assert (run.step, run.items, action) == (1, 0, Action.ADVANCE)


@pytest.mark.row("H10")
def test_a_question_is_answered_by_words_only() -> None:
    assert recorded(running(VALUES), VALUES, Outcome.COMPLETE, answered=False)[1] is Action.CONTINUE
    assert recorded(running(VALUES), VALUES, Outcome.COMPLETE)[1] is Action.ADVANCE


@pytest.mark.row("H10")
def test_who_is_stuck_gets_the_step_smaller_and_then_a_way_out() -> None:
    run, action = recorded(running(VALUES), VALUES, Outcome.STUCK)
    told = guidance(run, VALUES, action)
    assert (action, told["step_id"]) == (Action.REPAIR, "area")
    assert VALUES.steps[0].easier in told["response_text"]
    assert "offer to leave" not in told["response_instruction"]
    run, action = recorded(run, VALUES, Outcome.STUCK)
    assert "offer to leave" in guidance(run, VALUES, action)["response_instruction"]
    assert recorded(run, VALUES, Outcome.HOLD) == (run, Action.HOLD)


@pytest.mark.row("H10")
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize(("outcome", "action"), [(Outcome.EXIT, Action.EXIT), (Outcome.UNSAFE, Action.CRISIS)])
def test_who_wants_out_or_is_in_danger_is_heard_whatever_else_is_wrong(
    phase: Phase, outcome: Outcome, action: Action
) -> None:
    run = Run(exercise_id=SENSES.id, phase=phase, step=2)
    wrong = Progress(skill_id="nonsense", step_id="nonsense", outcome=outcome)
    after, done = record(run, SENSES, wrong)  # type: ignore[misc]  # not rejected
    assert done is action
    assert after.is_over
    assert record(None, None, wrong) == (None, action)
    assert (after.phase is Phase.UNSAFE) is (outcome is Outcome.UNSAFE or phase is Phase.UNSAFE)


@pytest.mark.row("H10")
def test_what_belongs_to_another_exercise_or_step_is_rejected() -> None:
    run = running(SENSES, step=1)

    def told(skill_id: str = SENSES.id, step_id: str = "hear") -> Progress:
        return Progress(skill_id=skill_id, step_id=step_id, outcome=Outcome.COMPLETE, items=9)

    assert record(run, SENSES, told(VALUES.id)) is Rejected.WRONG_SKILL
    assert record(run, SENSES, told(step_id="see")) is Rejected.WRONG_STEP
    assert record(None, None, told()) is Rejected.NO_EXERCISE
    assert record(Run(exercise_id=SENSES.id), SENSES, told(step_id="see")) is Rejected.NOT_LOADED
    assert record(Run(exercise_id=SENSES.id, phase=Phase.EXITED), SENSES, told()) is Rejected.OVER
    for wrong in ({"skill_id": VALUES.id, "step": None}, {"skill_id": SENSES.id, "step": 0}):
        assert isinstance(load(run, SENSES, action=Action.CONTINUE, **wrong), Rejected)  # type: ignore[arg-type]


@pytest.mark.row("H10")
def test_exit_wins_over_stuck_over_complete_over_hold() -> None:
    order = [Outcome.UNSAFE, Outcome.EXIT, Outcome.STUCK, Outcome.COMPLETE, Outcome.PARTIAL, Outcome.HOLD]
    for place, wins in enumerate(order):
        for loses in order[place:]:
            assert weighed(loses, {wins}) is weighed(wins, {loses}) is wins


@pytest.mark.row("H10")
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Stop.", {Outcome.EXIT}),
        ("I want to stop the exercise.", {Outcome.EXIT}),
        ("No, enough of this!", {Outcome.EXIT}),
        ("I don\N{RIGHT SINGLE QUOTATION MARK}t want to go on", {Outcome.EXIT}),
        ("The user wants to stop", {Outcome.EXIT}),
        ("I don't want to stop", set()),
        ("please don't stop", set()),
        ("I stopped and took a breath", set()),
        ("I can't do this", {Outcome.STUCK}),
        ("It isn't working, let us stop", {Outcome.EXIT, Outcome.STUCK}),
        ("I cannot stand it when people lie", set()),
        ("I can hear a clock and a bus stop", set()),
        ("", set()),
    ],
)
def test_the_persons_own_words_say_that_they_want_out_or_are_stuck(said: str, heard: set[Outcome]) -> None:
    assert heard_in(said) == heard


@pytest.mark.row("H10")
@pytest.mark.parametrize(
    ("summary", "count"),
    [
        ("", 0), ("a lamp", 1), ("lamp, book and chair", 3), ("the lamp\nthe book", 2), ("lamp, lamp", 1),
        ("three things", 3), ("named 4 items", 4), ("two sounds: a bus, a clock and rain", 3), (",,;", 0),
    ],
)  # fmt: skip
def test_named_things_are_counted_in_any_way_of_listing_them(summary: str, count: int) -> None:
    assert items_in(summary) == count


class AnyOrder(RuleBasedStateMachine):
    """Whatever the model calls, in whatever order, the run stays within its exercise."""

    def __init__(self) -> None:
        super().__init__()
        self.run: Run | None = None
        self.before: Run | None = None

    @property
    def exercise(self) -> Exercise | None:
        return EXERCISES[self.run.exercise_id] if self.run else None

    @rule(exercise=st.sampled_from(sorted(EXERCISES)))
    def start(self, exercise: str) -> None:
        self.run = self.before = Run(exercise_id=exercise)

    @rule(
        skill=st.none() | st.sampled_from(sorted(EXERCISES)),
        action=st.sampled_from(Action),
        step=st.none() | st.integers(0, 5),
    )
    def load(self, skill: str | None, action: Action, step: int | None) -> None:
        self.before = self.run
        current = self.run.exercise_id if self.run else ""
        loaded = load(self.run, self.exercise, skill_id=skill or current, action=action, step=step)
        if isinstance(loaded, Rejected):
            return
        assert self.run is not None
        assert (loaded.step, loaded.items, loaded.is_over) == (self.run.step, self.run.items, self.run.is_over)
        self.run = loaded
        guidance(loaded, EXERCISES[loaded.exercise_id], action)

    @rule(
        right=st.booleans(),
        step=st.sampled_from(sorted({step.id for one in EXERCISES.values() for step in one.steps})),
        outcome=st.sampled_from(Outcome),
        items=st.integers(0, 7),
        answered=st.booleans(),
    )
    def progress(self, right: bool, step: str, outcome: Outcome, items: int, answered: bool) -> None:
        self.before, exercise = self.run, self.exercise
        if right and self.run and exercise:
            step = exercise.steps[self.run.step].id
        skill = self.run.exercise_id if self.run else "none"
        told = Progress(skill_id=skill, step_id=step, outcome=outcome, items=items, answered=answered)
        result = record(self.run, exercise, told)
        if isinstance(result, Rejected):
            assert outcome not in (Outcome.EXIT, Outcome.UNSAFE)
            return
        self.run, action = result
        if outcome is Outcome.EXIT:
            assert action is Action.EXIT
            assert self.run is None or self.run.is_over
        elif outcome is Outcome.UNSAFE:
            assert action is Action.CRISIS
        elif action is Action.ADVANCE:
            assert outcome in (Outcome.COMPLETE, Outcome.PARTIAL)
            self._was_done(outcome, items)
        if self.run and exercise:
            guidance(self.run, exercise, action)

    def _was_done(self, outcome: Outcome, items: int) -> None:
        assert self.before is not None
        step = EXERCISES[self.before.exercise_id].steps[self.before.step]
        if step.completion_mode is Completion.ITEMS:
            assert step.min_items is not None
            assert self.before.items + items >= step.min_items
        else:
            assert outcome is Outcome.COMPLETE

    @precondition(lambda self: self.run is not None)
    @invariant()
    def stays_within_the_exercise(self) -> None:
        assert self.run is not None
        exercise = EXERCISES[self.run.exercise_id]
        assert 0 <= self.run.step < len(exercise.steps)
        assert 0 <= self.run.items <= (exercise.steps[self.run.step].target_items or 0)

    @precondition(lambda self: self.run is not None and self.before is not None)
    @invariant()
    def goes_one_step_at_a_time_and_comes_back_from_nowhere(self) -> None:
        assert self.run is not None
        assert self.before is not None
        assert self.run.step - self.before.step in (0, 1)
        if self.before.is_over:
            assert self.run.is_over
            assert self.run.step == self.before.step


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestAnyOrder = pytest.mark.row("H10")(AnyOrder.TestCase)
