"""The catalogue: the exercises there are, by their names, and those that fit an approach and a channel."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import yaml

from couchvoice.backend.approaches import Approach
from couchvoice.backend.exercises.exercise import Channel, Exercise
from couchvoice.backend.exercises.run import Run

_NOT_WORDS = re.compile(r"[\W_]+")
_APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]")


def normalised(text: str) -> str:
    """For comparing: lower case, words apart by one space, no punctuation."""
    return _NOT_WORDS.sub(" ", _APOSTROPHES.sub("", text.lower())).strip()


class Catalogue:
    """Raises ValueError for two exercises that answer to one name."""

    def __init__(self, exercises: Iterable[Exercise]) -> None:
        self.exercises = tuple(exercises)
        self._by_id = {exercise.id: exercise for exercise in self.exercises}
        self._by_name: dict[str, Exercise] = {}
        for exercise in self.exercises:
            for name in dict.fromkeys(map(normalised, (exercise.id, exercise.display_name, *exercise.aliases))):
                if name in self._by_name:
                    raise ValueError(f"{exercise.id} and {self._by_name[name].id} are both called {name}")
                self._by_name[name] = exercise

    def of_run(self, run: Run | None) -> Exercise | None:
        """None: there is no run, or another version of the catalogue knew its exercise or its step."""
        exercise = self._by_id.get(run.exercise_id) if run is not None else None
        return exercise if run is not None and exercise is not None and run.step < len(exercise.steps) else None

    def named(self, name: str) -> Exercise | None:
        """By its id, its display name or an alias."""
        return self._by_name.get(normalised(name))

    def named_in(self, words: str) -> bool:
        """Whether somebody's words name any exercise."""
        padded = f" {normalised(words)} "
        return any(f" {name} " in padded for name in self._by_name)

    def listed(self, *, approach: Approach | None = None, channel: Channel = "voice") -> Sequence[Exercise]:
        return [
            exercise
            for exercise in self.exercises
            if (approach is None or approach in exercise.approaches) and (channel == "text" or exercise.voice_supported)
        ]


@functools.cache
def shipped_catalogue() -> Catalogue:
    text = resources.files(__package__).joinpath("catalogue.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)["exercises"]
    return Catalogue(Exercise.model_validate(entry) for entry in entries)
