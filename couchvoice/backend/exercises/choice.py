"""Which exercise is meant: the one that was named, else one that the person did not just have.

Law: a generic ask ("another exercise") never brings the recent one again, nor one that must be asked for by name,
whichever the model has chosen; who asks for the same again, or by its name, gets it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from couchvoice.backend.approaches import Approach
from couchvoice.backend.exercises.catalogue import Catalogue, normalised
from couchvoice.backend.exercises.exercise import Category, Exercise

ANY = "any"
CATEGORIES: tuple[str, ...] = get_args(Category)

_GENERIC = re.compile(r"\b(?:exercises?|techniques?|practices?|something|anything|another|different)\b")
_AGAIN = re.compile(r"\b(?:again|same|repeat|once more|one more time|last time)\b")


def choose(
    catalogue: Catalogue,
    asked: str,
    *,
    said: str,
    recent: Sequence[str],
    approach: Approach | None = None,
) -> Exercise | None:
    """``asked``: a name, a category, or ANY. ``said``: the person's last words. ``recent``: ids, the newest first.

    None: there is nothing of this name.
    """
    named = catalogue.named(asked)
    if named is not None and not (_is_generic(said, catalogue) and _is_habit(named, recent)):
        return named
    if named is None and asked not in (*CATEGORIES, ANY):
        return None
    category = named.category if named is not None else asked
    fitting = [exercise for exercise in catalogue.listed() if not exercise.asked_only]
    of_category = [exercise for exercise in fitting if category in (ANY, exercise.category)]
    of_approach = [exercise for exercise in of_category if approach is None or approach in exercise.approaches]
    for candidates in (of_approach, of_category, fitting):
        other = [exercise for exercise in candidates if exercise.id not in recent[:1]]
        if other:
            # The one that was longest ago; what never was comes first, in the catalogue's order.
            return min(other, key=lambda exercise: -_age(exercise, recent))
    return None


def _is_generic(said: str, catalogue: Catalogue) -> bool:
    words = normalised(said)
    return bool(_GENERIC.search(words)) and not _AGAIN.search(words) and not catalogue.named_in(words)


def _is_habit(exercise: Exercise, recent: Sequence[str]) -> bool:
    return exercise.asked_only or exercise.id in recent[:1]


def _age(exercise: Exercise, recent: Sequence[str]) -> int:
    return recent.index(exercise.id) if exercise.id in recent else len(recent)
