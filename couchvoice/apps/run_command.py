"""``couchvoice run``: holds scripted conversations, tells what came of them, and leaves the results in files.

Exit status: 0 all passed, 1 a scenario failed, 2 a wrong script or option, 130 Ctrl-C, 143 SIGTERM.
Law: whatever ends a run, what was held until then is told and written.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from couchvoice.apps.run_options import RunOptions
from couchvoice.apps.run_screen import run_screen, summary_lines
from couchvoice.apps.watched_files import WatchedFiles
from couchvoice.errors import ConfigError
from couchvoice.scenario.cassettes import Cassettes
from couchvoice.scenario.crew import HANGING, Task, hold_all
from couchvoice.scenario.job import Job
from couchvoice.scenario.outcome import Outcome
from couchvoice.scenario.report import write_report
from couchvoice.scenario.results import json_results, junit_results, write_results
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.talk_record import load_talk
from couchvoice.settings import Settings

PASSED = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 130
TERMINATED = 143


async def run(options: RunOptions, settings: Settings) -> int:
    """The exit status. Raises ConfigError before anything was held."""
    options.check(settings)
    scenarios = options.collected()
    with _sigterm_as_ctrl_c() as terminated:
        if options.watch:
            status = await _watch(options, scenarios)
        else:
            status = await _run(options, scenarios)
    return TERMINATED if terminated.is_set() else status


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[asyncio.Event]:
    """A CI server ends what takes too long so; what was held is told and written all the same."""
    loop, running, terminated = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
    assert running is not None  # a coroutine runs in one

    def terminate() -> None:
        terminated.set()
        running.cancel()

    with contextlib.suppress(NotImplementedError):  # Windows has no such signal
        loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        yield terminated
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)


async def _run(options: RunOptions, scenarios: Sequence[Scenario]) -> int:
    began = time.monotonic()
    outcomes: list[Outcome] = []
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="couchvoice-run-") as folder:
        cassettes = Cassettes.of(options.record, options.replay, scenarios)
        tasks = [
            _task(options, scenario, Path(folder) / f"{number}.talk", cassettes)
            for number, scenario in enumerate(scenarios)
        ]
        with run_screen(len(scenarios)) as screen:

            def told(outcome: Outcome) -> None:
                outcomes.append(outcome)
                screen.show(outcome)

            try:
                await hold_all(tasks, options.crew(), told)
            except asyncio.CancelledError:  # Ctrl-C, says asyncio's runner
                interrupted = True
        order = {scenario.name: number for number, scenario in enumerate(scenarios)}
        outcomes.sort(key=lambda outcome: order[outcome.name])
        _write(options, outcomes)
    for line in summary_lines(outcomes, planned=len(scenarios), seconds=time.monotonic() - began):
        print(line, flush=True)
    return INTERRUPTED if interrupted else _status(outcomes)


async def _watch(options: RunOptions, scenarios: Sequence[Scenario]) -> int:
    """Hold them, then again what has changed, for ever. What changes while they are held has changed, too."""
    watched = WatchedFiles(options.paths)
    watched.look_at(scenarios)
    if await _run(options, scenarios) == INTERRUPTED:
        return INTERRUPTED
    while True:
        print("waiting for a change; Ctrl-C ends it", flush=True)
        try:
            await watched.change()
        except asyncio.CancelledError:
            return INTERRUPTED
        try:
            scenarios = options.collected()
        except ConfigError as exc:
            print(f"error: {exc}", flush=True)
            continue
        changed = [scenario for scenario in scenarios if watched.is_new(scenario)]
        watched.look_at(scenarios)
        if changed and await _run(options, changed) == INTERRUPTED:
            return INTERRUPTED


def _task(options: RunOptions, scenario: Scenario, talk: Path, cassettes: Cassettes) -> Task:
    job = Job(
        file=str(scenario.file),
        name=scenario.name,
        settings=options.settings,
        speed=options.speed,
        talk=str(talk) if options.report is not None else None,
        record=cassettes.to_record(scenario),
        replay=cassettes.to_replay(scenario),
        folder=str(talk.parent),
    )
    return Task(job, scenario.script.deadline + HANGING)


def _write(options: RunOptions, outcomes: Sequence[Outcome]) -> None:
    """The files that were asked for. The records of the talks go with their folder."""
    talks = [load_talk(Path(outcome.talk)) for outcome in outcomes if outcome.talk is not None]
    for outcome in outcomes:
        outcome.talk = None
    if options.report is not None:
        write_report(options.report, talks)
    if options.junit is not None:
        write_results(options.junit, junit_results(outcomes))
    if options.json is not None:
        write_results(options.json, json_results(outcomes))


def _status(outcomes: Sequence[Outcome]) -> int:
    if any(outcome.outcome == "broken" for outcome in outcomes):
        return WRONG
    return PASSED if all(outcome.passed for outcome in outcomes) else FAILED
