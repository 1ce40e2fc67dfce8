"""Tools that run in the background: from the acknowledgement to the result that somebody asks for.

Kept in the memory of this process, bounded. Law: a run belongs to the thread and the owner that began it, nobody else
finds it; of one tool one run at a time goes on in a thread; and every task is awaited by ``close``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from couchvoice.backend.refusals import Refused, failing_as
from couchvoice.backend.tools.definition import ToolContext
from couchvoice.contract import GENERATING, ResultStatus

MAX_RUNS = 1024  # with their results; then the oldest is forgotten
RESULT_WAIT = 10.0  # seconds that a request for a result is held open, below the client's 15

_ID_BYTES = 16  # 128 random bits

# Begun in its task: a coroutine whose task is cancelled before its first step would never be awaited.
Work = Callable[[], Coroutine[Any, Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Result:
    status: ResultStatus
    output: dict[str, Any]
    private: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Run:
    name: str
    place: tuple[str, str]  # thread and owner
    task: asyncio.Task[Result]


class BackgroundRuns:
    def __init__(self, *, limit: int = MAX_RUNS) -> None:
        self._limit = limit
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._ending: set[asyncio.Task[Result]] = set()  # cancelled, and not over yet

    def begin(self, name: str, work: Work, *, private: frozenset[str], context: ToolContext) -> str:
        """Start it, in place of the one of the same tool that still runs for the same thread. Returns its id."""
        place = (context.thread_id, context.owner)
        for run in self._runs.values():
            if run.name == name and run.place == place:
                self._cancel(run)
        task_id = f"task_{secrets.token_urlsafe(_ID_BYTES)}"
        task = asyncio.create_task(_outcome(work, private), name=f"tool-{name}")
        self._runs[task_id] = _Run(name=name, place=place, task=task)
        if len(self._runs) > self._limit:
            self._cancel(self._runs.popitem(last=False)[1])
        return task_id

    async def result(self, task_id: str, *, thread_id: str, owner: str) -> Result:
        """The result, or after RESULT_WAIT that there is none yet. Refused (404) when it is nobody's, or another's."""
        run = self._runs.get(task_id)
        if run is None or run.place != (thread_id, owner):
            raise Refused(HTTPStatus.NOT_FOUND, "unknown_task", "there is no such task in this thread")
        done, _ = await asyncio.wait({run.task}, timeout=RESULT_WAIT)
        if not done:
            return Result(status="generating", output={"status": GENERATING})
        if run.task.cancelled():
            return Result(status="cancelled", output={"status": "cancelled"})
        return run.task.result()

    def end(self, thread_id: str, *, owner: str) -> None:
        """The talk is over: nobody asks for its results any more."""
        for task_id in [task_id for task_id, run in self._runs.items() if run.place == (thread_id, owner)]:
            self._cancel(self._runs.pop(task_id))

    async def close(self) -> None:
        """Cancel what runs, and wait until it has ended."""
        for run in self._runs.values():
            self._cancel(run)
        self._runs.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _cancel(self, run: _Run) -> None:
        if not run.task.done():
            run.task.cancel()
            self._ending.add(run.task)
            run.task.add_done_callback(self._ending.discard)


async def _outcome(work: Work, private: frozenset[str]) -> Result:
    try:
        with failing_as("voice_realtime_tool_failed", "the tool failed"):
            return Result(status="completed", output=await work(), private=private)
    except Refused as exc:
        return Result(status="failed", output={"error": exc.code})
