"""Workers: real processes that hold scenarios, hang and die."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from couchvoice.scenario.crew import CrewOptions, Task, hold_all
from couchvoice.scenario.job import Job
from couchvoice.scenario.outcome import Outcome

WAIT = 60.0  # seconds

pytestmark = pytest.mark.timeout(60)


def task(folder: Path, name: str, *steps: str, within: float = WAIT) -> Task:
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(["steps:", *(f"  - {step}" for step in steps)]))
    return Task(Job(file=str(path), name=name), within)


async def held(tasks: list[Task], **options: object) -> dict[str, Outcome]:
    outcomes: list[Outcome] = []
    await hold_all(tasks, CrewOptions(**{"workers": 1, **options}), outcomes.append)  # type: ignore[arg-type]
    return {outcome.name: outcome for outcome in outcomes}


async def test_scenarios_are_held_in_other_processes_each_in_a_worker_that_is_free(tmp_path: Path) -> None:
    tasks = [task(tmp_path, f"talk{number}", "connect") for number in range(3)]
    tasks.append(task(tmp_path, "wrong", "expect: {turns: 5}"))
    tasks.append(Task(Job(file=str(tmp_path / "talk1.yaml"), name="other"), WAIT))
    outcomes = await held(tasks, workers=2)
    assert {name: outcome.outcome for name, outcome in outcomes.items()} == {
        **dict.fromkeys(["talk0", "talk1", "talk2"], "passed"),
        "wrong": "failed",
        "other": "broken",
    }
    assert "was changed: it has no scenario 'other' any more" in (outcomes["other"].error or "")


async def test_a_worker_that_hangs_costs_its_scenario_and_the_next_one_gets_a_new_one(tmp_path: Path) -> None:
    fifo = tmp_path / "hanging.yaml"
    os.mkfifo(fifo)  # reading it blocks the process for good
    hanging = Task(Job(file=str(fifo), name="hanging"), 3.0)
    outcomes = await held([hanging, task(tmp_path, "well", "connect")])
    assert outcomes["hanging"].error == "its process did not answer within 3 s"
    assert outcomes["well"].passed


async def test_a_scenario_that_fails_is_held_again_as_often_as_asked(tmp_path: Path) -> None:
    outcomes = await held([task(tmp_path, "wrong", "expect: {turns: 5}")], retry=2)
    assert outcomes["wrong"].attempts == 3
    assert len(outcomes["wrong"].earlier_errors) == 2


async def test_the_first_failure_ends_a_run_that_wants_it_so(tmp_path: Path) -> None:
    tasks = [task(tmp_path, "wrong", "expect: {turns: 5}"), task(tmp_path, "late", "connect")]
    assert list(await held(tasks, fail_fast=True)) == ["wrong"]


async def test_who_is_cancelled_leaves_no_worker_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "hanging.yaml"
    os.mkfifo(fifo)
    started: list[int] = []
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: object, **options: object) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)  # type: ignore[arg-type]
        started.append(process.pid)
        running.set()
        return process

    running = asyncio.Event()
    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    run = asyncio.create_task(held([Task(Job(file=str(fifo), name="hanging"), WAIT)]))
    await running.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], signal.SIGCONT)
