"""Holds one scenario, from its ends to what came of it.

Law: whatever happens, there is an outcome in bounded time, and everything that was started has ended.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from couchvoice.cassette import CASSETTE_MISMATCH, Cassette
from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.scenario.examiner import Examiner, StepFailed, line_of
from couchvoice.scenario.expectations import Judgement
from couchvoice.scenario.judge import Judge, judge_of
from couchvoice.scenario.media_clock import REAL_TIME, chosen_speed, run
from couchvoice.scenario.outcome import CheckOutcome, Outcome, writable
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script import Limits
from couchvoice.scenario.speech import prepared_speech
from couchvoice.scenario.stage import Stage
from couchvoice.scenario.steps import Steps
from couchvoice.scenario.talk_record import Check, TalkRecord
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.scenario.waiting import Waiting
from couchvoice.settings import Settings

Left = list[tuple[str, Judgement]]

LOCAL_SLO = Limits(connect_ms=1500.0, response_ms=1500.0)


@dataclass(frozen=True, slots=True)
class Held:
    """``left`` is for a judge, each with its line."""

    outcome: Outcome
    record: TalkRecord
    left: Sequence[tuple[str, Judgement]] = ()


def run_scenario(
    scenario: Scenario, settings: Settings, *, speed: float | None = None, replay: Cassette | None = None
) -> Held:
    """On a loop of its own. ``speed`` None: as fast as it can where both ends are embedded, else in real time.

    ``replay`` answers in place of the local Realtime server.
    Raises ConfigError for a speed that cannot be; what is wrong with the scenario is in its outcome.
    """
    chosen = chosen_speed(settings, speed)
    real, cpu = time.perf_counter(), time.process_time()
    held = run(hold(scenario, settings, speed=chosen, replay=replay), speed=chosen)
    if held.left:
        # In real time: a judge lives elsewhere.
        asyncio.run(hear_judge(held, judge_of(settings)))
    held.outcome.real_seconds = round(time.perf_counter() - real, 3)
    held.outcome.cpu_seconds = round(time.process_time() - cpu, 3)
    return held


async def hold(
    scenario: Scenario, settings: Settings, *, speed: float | None = REAL_TIME, replay: Cassette | None = None
) -> Held:
    """On the loop that runs. ``speed`` is the loop's."""
    clock: Literal["media", "real"] = "real" if speed == REAL_TIME else "media"
    tap = TalkTap(scenario.name, clock=clock, speed=speed)
    outcome = Outcome(name=scenario.name, file=str(scenario.file), clock=clock)
    with tempfile.TemporaryDirectory(prefix="couchvoice-") as folder:
        left = await _hold(scenario, settings, tap, outcome, Path(folder), replay)
    outcome.seconds = round(tap.now, 3)
    if (mismatch := tap.trouble(CASSETTE_MISMATCH)) is not None:
        # Whatever else was not as expected follows from it.
        outcome.mismatch = writable(mismatch)
        outcome.outcome, outcome.error = "failed", outcome.mismatch.partition("\n")[0]
    record = tap.finish(outcome.outcome, outcome.mismatch or outcome.error)
    return Held(outcome, record, left if outcome.passed else ())


async def hear_judge(held: Held, judge: Judge) -> None:
    """What was left to a judge is checked, too."""
    outcome, record = held.outcome, held.record
    for line, judgement in held.left:
        opinion = await judge.opinion(judgement)
        expected, got = f"it is true that: {judgement.sentence}", opinion.why or str(opinion.holds).lower()
        check = CheckOutcome(judgement.path, opinion.holds, writable(expected), writable(got), line)
        outcome.checks.append(check)
        record.entries.append(Check(record.seconds, check.what, check.passed, check.expected, check.got, line))
        if not check.passed:
            outcome.fail(f"{line}: {check.what}: expected {check.expected}, got {check.got}")
    record.outcome, record.error = outcome.outcome, outcome.error


async def _hold(
    scenario: Scenario, settings: Settings, tap: TalkTap, outcome: Outcome, folder: Path, replay: Cassette | None
) -> Left:
    """What is left to a judge."""
    steps: Steps | None = None
    left: Left = []
    tap.begin()
    try:
        _require_judge(scenario, settings)
        speech = await prepared_speech(scenario, folder)
        async with (
            asyncio.timeout(scenario.script.deadline),
            Stage(scenario, settings, speech, tap, folder, replay=replay) as stage,
        ):
            waiting = Waiting(stage)
            examiner = Examiner(stage, waiting, default_slo=_default_slo(settings))
            outcome.checks, left = examiner.checks, examiner.left_to_a_judge
            steps = Steps(stage, waiting, examiner)
            try:
                await steps.perform_all()
            finally:
                whole = stage.observed.since(0)
                outcome.figures = {name: values for name, values in whole.figures().items() if values}
                outcome.turns = len(whole.turns)
    except StepFailed as exc:
        outcome.fail(f"{line_of(scenario, exc.path)}: {exc}")
    except TimeoutError:
        at = line_of(scenario, steps.at) if steps else scenario.file.name
        outcome.fail(f"{at}: the scenario did not end within {scenario.script.deadline:g} s (deadline)")
    except CouchvoiceError as exc:
        outcome.outcome, outcome.error = "broken", writable(str(exc))
    return left


def _require_judge(scenario: Scenario, settings: Settings) -> None:
    """Rather now than when all has been said. Raises ConfigError."""
    asked = (path for path in scenario.places if path.endswith(".judge"))
    if (path := next(asked, None)) is not None:
        try:
            judge_of(settings)
        except ConfigError as exc:
            scenario.refuse(path, str(exc))


def _default_slo(settings: Settings) -> Limits:
    local = settings.backend_url is None and settings.realtime_url is None and settings.provider in (None, "local")
    return LOCAL_SLO if local else Limits()
