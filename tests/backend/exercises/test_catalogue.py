"""The catalogue: every entry is whole, and who asks gets the exercise that is meant."""

from __future__ import annotations

import copy
from importlib import resources
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from couchvoice.backend.exercises import Catalogue, Exercise, shipped_catalogue
from couchvoice.backend.exercises.book import MAX_RECENT
from couchvoice.backend.exercises.choice import ANY, CATEGORIES, choose
from couchvoice.backend.exercises.exercise import Completion

CATALOGUE = shipped_catalogue()
FOR_VOICE = {
    "grounding_5_4_3_2_1", "grounding_box_breathing", "grounding_stop_technique", "grounding_muscle_relaxation",
    "thought_work_continuum", "behavioral_activation_tiny_action", "defusion_values_compass", "self_compassion_break",
    "emotion_regulation_improve", "emotion_regulation_gratitude",
}  # fmt: skip
IN_WRITING = {"defusion_leaves_on_stream", "thought_work_simple_record", "thought_work_behavioral_experiment"}


def exercise(exercise_id: str) -> Exercise:
    return next(exercise for exercise in CATALOGUE.exercises if exercise.id == exercise_id)


def chosen(asked: str, said: str = "", *recent: str, **more: Any) -> str | None:
    found = choose(CATALOGUE, asked, said=said, recent=recent, **more)
    return found.id if found is not None else None


@pytest.mark.row("H9")
def test_there_are_thirteen_exercises_and_ten_of_them_for_voice() -> None:
    assert {e.id for e in CATALOGUE.listed(channel="text")} == FOR_VOICE | IN_WRITING
    assert {e.id for e in CATALOGUE.listed()} == FOR_VOICE


@pytest.mark.row("H9")
def test_the_five_senses_count_down_and_take_fewer() -> None:
    steps = exercise("grounding_5_4_3_2_1").steps
    assert [step.id for step in steps] == ["see", "hear", "feel", "smell", "taste"]
    assert [step.target_items for step in steps] == [5, 4, 3, 2, 1]
    assert [step.min_items for step in steps] == [3, 2, 2, 1, 1]


@pytest.mark.row("H9")
@pytest.mark.parametrize(
    ("exercise_id", "steps"),
    [("grounding_box_breathing", 4), ("grounding_stop_technique", 4), ("grounding_muscle_relaxation", 5)],
)
def test_the_grounding_exercises_ask_to_confirm_each_step(exercise_id: str, steps: int) -> None:
    modes = [step.completion_mode for step in exercise(exercise_id).steps]
    assert modes == [Completion.CONFIRMATION] * steps


@pytest.mark.row("H9")
@pytest.mark.parametrize("one", CATALOGUE.exercises, ids=lambda one: one.id)
def test_what_is_said_of_an_exercise_can_be_said(one: Exercise) -> None:
    spoken = [text for step in one.steps for text in (step.instruction, step.easier)]
    assert all(len(text) <= 200 and text[-1] in ".?…" for text in (*spoken, one.closing)), one.id
    assert len(set(spoken)) == len(spoken)
    assert 30 * len(one.steps) <= one.duration_seconds


@pytest.mark.row("H9")
@pytest.mark.parametrize(
    "approach", ["act", "behavioral_activation", "cbt", "compassion_focused", "dbt", "mindfulness"]
)
def test_a_list_holds_what_belongs_to_an_approach_and_nothing_else(approach: Any) -> None:
    listed = CATALOGUE.listed(approach=approach, channel="text")
    assert listed == [one for one in CATALOGUE.exercises if approach in one.approaches]
    assert 0 < len(listed) < len(CATALOGUE.exercises)
    assert any(one.voice_supported for one in listed)


def entry() -> dict[str, Any]:
    text = resources.files("couchvoice.backend.exercises").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["exercises"][0]
    return found


FIELDS = [
    "id", "display_name", "purpose", "category", "tags", "approaches", "duration_seconds", "intensity", "aliases",
    "voice_supported", "interaction_pattern", "cognitive_load", "steps", "closing",
]  # fmt: skip


@pytest.mark.row("H9")
@pytest.mark.parametrize("field", FIELDS)
def test_an_entry_that_lacks_something_is_refused(field: str) -> None:
    whole = entry()
    Exercise.model_validate(whole)
    del whole[field]
    with pytest.raises(ValidationError):
        Exercise.model_validate(whole)


@pytest.mark.row("H9")
@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"category": "magic"},
        {"approaches": ["reiki"]},
        {"duration_seconds": 0},
        {"colour": "blue"},
        {"steps": [{**entry()["steps"][0], "min_items": 6}]},
        {"steps": [{**entry()["steps"][0], "min_items": None}]},
        {"steps": [{**entry()["steps"][0], "completion_mode": "confirmation"}]},
        {"steps": [entry()["steps"][0]] * 2},
    ],
    ids=str,
)
def test_an_entry_that_does_not_hold_together_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Exercise.model_validate(copy.deepcopy(entry()) | change)


def test_two_exercises_of_one_name_are_refused() -> None:
    first = Exercise.model_validate(entry())
    with pytest.raises(ValueError, match="both called"):
        Catalogue([first, first.model_copy(update={"id": "other"})])


# Which one is meant


@pytest.mark.row("H10")
@pytest.mark.parametrize("asked", ["grounding_box_breathing", "Box breathing", "box-breathing", "breathing exercise"])
def test_an_exercise_is_known_by_its_id_its_name_and_its_aliases(asked: str) -> None:
    assert chosen(asked) == "grounding_box_breathing"
    assert chosen(asked, "Let us do box breathing.", "grounding_box_breathing") == "grounding_box_breathing"


@pytest.mark.row("H10")
@pytest.mark.parametrize("category", [*CATEGORIES, ANY])
def test_a_generic_ask_never_brings_the_recent_one_nor_the_five_senses(category: str) -> None:
    recent: list[str] = []
    for _ in range(30):
        one = chosen(category, "Can we do another exercise?", *recent[:MAX_RECENT])
        assert one is not None
        assert one != "grounding_5_4_3_2_1"
        assert one not in recent[:1]
        recent.insert(0, one)
    if category == ANY:
        assert set(recent) == FOR_VOICE - {"grounding_5_4_3_2_1"}


@pytest.mark.row("H10")
@pytest.mark.parametrize("habit", ["grounding_box_breathing", "grounding_5_4_3_2_1"])
def test_what_the_model_names_by_habit_is_replaced(habit: str) -> None:
    said = "Do you have another exercise for me?"
    instead = chosen(habit, said, "grounding_box_breathing")
    assert instead in ("grounding_stop_technique", "grounding_muscle_relaxation")


@pytest.mark.row("H10")
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("grounding_box_breathing", "The same exercise once more, please."),
        ("grounding_box_breathing", "Can we do the breathing exercise?"),
        ("grounding_box_breathing", "Yes, please."),
        ("grounding_box_breathing", ""),
        ("grounding_5_4_3_2_1", "The five senses exercise, please."),
        ("grounding_5_4_3_2_1", "Yes, let us try that."),
        ("grounding_muscle_relaxation", "Another exercise, please."),
    ],
)
def test_an_explicit_ask_is_honoured(asked: str, said: str) -> None:
    assert chosen(asked, said, "grounding_box_breathing") == asked


@pytest.mark.row("H10")
def test_an_approach_narrows_a_generic_ask_where_it_can() -> None:
    assert chosen(ANY, approach="act") == "defusion_values_compass"
    assert (
        chosen("defusion", "Another exercise.", "defusion_values_compass", approach="act") != "defusion_values_compass"
    )
    assert chosen("juggling") is None
