"""The crew: processes that hold scenarios side by side, one each at a time.

Law: a worker that hangs or dies costs its scenario, not the run; when the run is left, no worker is.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from couchvoice.scenario.job import Job
from couchvoice.scenario.outcome import Outcome

HANGING = 60.0  # seconds of real time beyond a scenario's deadline; then its worker hangs
_WORKER = ("-m", "couchvoice.scenario.worker")
_LINE = 64 * 1024 * 1024  # bytes of an outcome, at most


@dataclass(frozen=True, slots=True)
class Task:
    """``within``: real seconds, after which the worker is given up."""

    job: Job
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewOptions:
    """``retry``: how often a scenario that failed is held again. ``fail_fast``: the first failure ends the run."""

    workers: int
    retry: int = 0
    fail_fast: bool = False


async def hold_all(tasks: Sequence[Task], options: CrewOptions, told: Callable[[Outcome], None]) -> None:
    """``told`` gets each outcome as it comes. Cancelled, it leaves no worker behind."""
    waiting = iter(tasks)
    try:
        async with asyncio.TaskGroup() as crew:
            for number in range(min(options.workers, len(tasks))):
                crew.create_task(_work(waiting, options, told), name=f"worker-{number}")
    except* _Enough:
        pass


class _Enough(Exception):
    """A scenario failed, and that is enough."""


async def _work(waiting: Iterator[Task], options: CrewOptions, told: Callable[[Outcome], None]) -> None:
    worker = _Worker()
    try:
        for task in waiting:  # which all workers share
            outcome = await _held(worker, task, options.retry)
            told(outcome)
            if options.fail_fast and not outcome.passed:
                raise _Enough
    finally:
        await worker.end()


async def _held(worker: _Worker, task: Task, retry: int) -> Outcome:
    errors: list[str] = []
    while True:
        outcome = await worker.hold(task)
        outcome.attempts, outcome.earlier_errors = len(errors) + 1, errors
        # What is wrong with the script is wrong the next time, too.
        if outcome.outcome != "failed" or len(errors) == retry:
            return outcome
        errors.append(outcome.error or "")


class _Worker:
    """A process that is started when it is needed, and again when it was lost."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def hold(self, task: Task) -> Outcome:
        job, began = task.job, time.monotonic()
        try:
            async with asyncio.timeout(task.within):
                line = await self._answer(msgspec.json.encode(job) + b"\n")
            if line:
                return msgspec.json.decode(line, type=Outcome)
            problem = f"its process ended with status {await self._status()}"
        except TimeoutError:
            problem = f"its process did not answer within {task.within:g} s"
        except OSError as exc:
            problem = f"its process could not be started or asked: {exc}"
        await self.end()
        return Outcome(
            name=job.name, file=job.file, outcome="failed", error=problem, real_seconds=time.monotonic() - began
        )

    async def end(self) -> None:
        """At once. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _answer(self, line: bytes) -> bytes:
        process = self._process = self._process or await self._start()
        assert process.stdin is not None  # _start asked for both
        assert process.stdout is not None
        process.stdin.write(line)
        await process.stdin.drain()
        return await process.stdout.readline()

    @staticmethod
    async def _start() -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        # In a session of its own: Ctrl-C is for us, who report what was held.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *_WORKER), stdin=pipe, stdout=pipe, limit=_LINE, start_new_session=True
        )

    async def _status(self) -> int | None:
        return await self._process.wait() if self._process is not None else None
