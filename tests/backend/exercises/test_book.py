"""Where runs stand: in a database of either kind, and in memory. Both books keep the same promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.exercises import ExerciseBook, MemoryExerciseBook, Phase, Place, Run
from couchvoice.backend.exercises.book import MAX_RECENT
from tests.backend.ends import any_turn

ADA = Place("ada", "t1")


@pytest.fixture(params=["memory", "database"])
def book(request: pytest.FixtureRequest, store: SqlStore) -> ExerciseBook:
    return MemoryExerciseBook() if request.param == "memory" else store.exercises


def moved(run: Run | None) -> tuple[Run | None, Run | None]:
    return (replace(run, step=run.step + 1) if run else None), run


@pytest.mark.row("H11")
async def test_the_newest_run_of_a_thread_is_the_one_that_is_on(book: ExerciseBook) -> None:
    assert await book.current(ADA) is None
    assert await book.change(ADA, moved) is None
    first, second = Run(exercise_id="a", approach="cbt"), Run(exercise_id="b", phase=Phase.RUNNING, step=2, items=1)
    await book.begin(ADA, first)
    assert await book.current(ADA) == first
    await book.begin(ADA, second)
    assert await book.change(ADA, moved) == second
    assert await book.current(ADA) == replace(second, step=3)
    assert await book.recent(ADA) == ["b", "a"]


@pytest.mark.row("H11")
async def test_a_run_belongs_to_its_owner_and_its_thread(book: ExerciseBook) -> None:
    await book.begin(ADA, Run(exercise_id="a"))
    await book.begin(Place("ada", "t2"), Run(exercise_id="b"))
    for stranger in (Place("eve", "t1"), Place("t1", "t1")):
        assert await book.current(stranger) is None
        assert await book.recent(stranger) == []
    # In which other threads: a database knows of all, of what is incognito nothing is known elsewhere.
    assert await book.recent(ADA) == (["a"] if isinstance(book, MemoryExerciseBook) else ["b", "a"])
    run = await book.current(ADA)
    assert run is not None
    assert run.exercise_id == "a"


async def test_of_what_somebody_had_lately_the_last_ones_are_known(book: ExerciseBook) -> None:
    for number in range(MAX_RECENT + 3):
        await book.begin(ADA, Run(exercise_id=f"e{number}"))
    assert await book.recent(ADA) == [f"e{number}" for number in range(MAX_RECENT + 2, 2, -1)]


@pytest.mark.row("H10")
async def test_changes_at_the_same_moment_come_one_after_the_other(book: ExerciseBook) -> None:
    await book.begin(ADA, Run(exercise_id="a"))
    before = await asyncio.gather(*(book.change(ADA, moved) for _ in range(8)))
    assert sorted(run.step for run in before if run) == list(range(8))


@pytest.mark.row("H11")
async def test_a_run_outlives_the_process_and_goes_with_its_thread(store: SqlStore, database_url: str) -> None:
    run = Run(exercise_id="a", phase=Phase.RUNNING, step=3)
    await store.exercises.begin(ADA, run)
    await store.turns.record(any_turn(owner="ada", thread_id="t1"))
    await store.close()
    other = SqlStore(database_url)
    assert await other.exercises.current(ADA) == run
    await other.threads.delete("t1", owner="ada")
    assert await other.exercises.current(ADA) is None
    await other.exercises.begin(ADA, run)
    await other.threads.erase("ada")
    assert await other.exercises.recent(ADA) == []
    await other.close()


async def test_memory_forgets_the_oldest_and_whoever_has_ended() -> None:
    book = MemoryExerciseBook(limit=2)
    for thread in ("t1", "t2", "t3"):
        await book.begin(Place("ada", thread), Run(exercise_id=thread))
    assert await book.current(ADA) is None
    book.forget(Place("ada", "t2"))
    assert await book.recent(Place("ada", "t2")) == []
    assert await book.recent(Place("ada", "t3")) == ["t3"]
