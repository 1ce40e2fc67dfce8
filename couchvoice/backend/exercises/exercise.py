"""An exercise as the catalogue describes it: data, and what must hold of the data.

Not a run of it. Law: an entry that does not hold together is refused when it is read.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from couchvoice.backend.approaches import Approach

Category = Literal[
    "grounding", "thought_work", "behavioral_activation", "defusion", "self_compassion", "emotion_regulation"
]
Channel = Literal["voice", "text"]
Level = Literal["low", "medium", "high"]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Completion(enum.StrEnum):
    """What ends a step."""

    ITEMS = "items"  # so many things named
    CONFIRMATION = "confirmation"  # the person says that it is done
    RESPONSE = "response"  # the person says something of their own
    LLM_JUDGED = "llm_judged"  # the model finds that what was said does it


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Entry):
    """``instruction`` is spoken as it stands; ``easier`` is the same, made smaller, for whoever is stuck."""

    id: Id
    instruction: Text
    easier: Text
    completion_mode: Completion
    target_items: Annotated[int, Field(ge=1)] | None = None
    min_items: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if self.completion_mode is not Completion.ITEMS:
            if self.target_items is not None or self.min_items is not None:
                raise ValueError(f"the step {self.id} counts nothing: leave out target_items and min_items")
        elif self.target_items is None or self.min_items is None or self.min_items > self.target_items:
            raise ValueError(f"the step {self.id} counts items: it needs min_items, and as many target_items or more")
        return self


class Exercise(_Entry):
    """``asked_only``: nobody gets it who has not asked for it by its name."""

    id: Id
    display_name: Text
    purpose: Text
    category: Category
    tags: Annotated[tuple[Text, ...], Field(min_length=1)]
    approaches: Annotated[tuple[Approach, ...], Field(min_length=1)]
    duration_seconds: Annotated[int, Field(ge=30, le=1800)]
    intensity: Level
    aliases: Annotated[tuple[Text, ...], Field(min_length=1)]
    voice_supported: bool
    asked_only: bool = False
    interaction_pattern: Literal["turn_by_turn", "paced", "reflective", "planning", "silent", "written"]
    cognitive_load: Level
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    closing: Text

    @model_validator(mode="after")
    def _steps(self) -> Self:
        if len({step.id for step in self.steps}) < len(self.steps):
            raise ValueError(f"two steps of {self.id} have the same id")
        return self
