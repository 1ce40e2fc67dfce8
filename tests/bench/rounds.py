"""Rounds: contestants that take turns, so that a busy minute of the machine hits all of them alike.

Law: a figure is the median of its rounds, and a ratio is one of medians; the first rounds are thrown away.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

WARM_UP = 1  # rounds that nobody counts: caches fill, lazy imports happen

Figures = Mapping[str, float]
Name = TypeVar("Name", bound=str)


async def take_turns(contestants: Mapping[str, Callable[[], Awaitable[Figures]]], rounds: int) -> dict[str, Figures]:
    """A B C, A B C, …: the medians of each contestant's figures, by its name."""
    seen: dict[str, list[Figures]] = {name: [] for name in contestants}
    for number in range(WARM_UP + rounds):
        for name, run in contestants.items():
            figures = await run()
            if number >= WARM_UP:
                seen[name].append(figures)
            print(f"{number:>3} {name:<16} {_line(figures)}", file=sys.stderr)
    return {name: medians(several) for name, several in seen.items()}


def medians(several: list[Figures]) -> Figures:
    return {key: round(statistics.median(figures[key] for figures in several), 2) for key in several[0]}


def ratio(ours: Figures, baseline: Figures, key: str) -> float:
    return round(ours[key] / baseline[key], 3)


def _line(figures: Figures) -> str:
    return "  ".join(f"{key} {figure:.1f}" for key, figure in figures.items())
