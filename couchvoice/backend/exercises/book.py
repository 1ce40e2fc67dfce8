"""Where the runs of exercises stand, and the book of those that stand nowhere but in memory.

Law: a run belongs to one owner and one thread; the newest one of a thread is the one that is on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from couchvoice.backend.exercises.run import Run

MAX_PLACES = 1024  # in memory; then the oldest is forgotten
MAX_RECENT = 12  # exercises that a person is said to have had lately: enough for all to take turns

T = TypeVar("T")
# The new run (the same one or None: nothing is to be kept) and what the change is to come to.
Change = Callable[[Run | None], tuple[Run | None, T]]


@dataclass(frozen=True, slots=True)
class Place:
    owner: str
    thread_id: str


class ExerciseBook(Protocol):
    async def recent(self, place: Place) -> list[str]:
        """The ids of the owner's last exercises, the newest first: in any thread, if they are kept at all."""

    async def begin(self, place: Place, run: Run) -> None: ...

    async def current(self, place: Place) -> Run | None: ...

    async def change(self, place: Place, change: Change[T]) -> T:
        """Of the run that is on. Nobody else changes it meanwhile. ``change`` is pure."""


class MemoryExerciseBook:
    """Implements ExerciseBook for talks of which nothing is kept."""

    def __init__(self, *, limit: int = MAX_PLACES) -> None:
        self._limit = limit
        self._runs: OrderedDict[Place, list[Run]] = OrderedDict()  # the newest last

    async def recent(self, place: Place) -> list[str]:
        """Of this talk alone: no other that is incognito is known in it."""
        return [run.exercise_id for run in reversed(self._runs.get(place, []))]

    async def begin(self, place: Place, run: Run) -> None:
        runs = self._runs.pop(place, [])
        self._runs[place] = [*runs[1 - MAX_RECENT :], run]
        if len(self._runs) > self._limit:
            self._runs.popitem(last=False)

    async def current(self, place: Place) -> Run | None:
        runs = self._runs.get(place)
        return runs[-1] if runs else None

    async def change(self, place: Place, change: Change[T]) -> T:
        run, value = change(await self.current(place))
        if run is not None and place in self._runs:
            self._runs[place][-1] = run
        return value

    def forget(self, place: Place) -> None:
        """The talk is over."""
        self._runs.pop(place, None)
