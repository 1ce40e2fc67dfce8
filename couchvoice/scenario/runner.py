"""Holds one scenario, from its ends to what came of it.

Law: whatever happens, there is an outcome in bounded time, and everything that was started has ended.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from couchvoice.errors import CouchvoiceError
from couchvoice.scenario.examiner import Examiner, StepFailed, line_of
from couchvoice.scenario.media_clock import REAL_TIME, chosen_speed, run
from couchvoice.scenario.outcome import Outcome, writable
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script import Limits
from couchvoice.scenario.speech import prepared_speech
from couchvoice.scenario.stage import Stage
from couchvoice.scenario.steps import Steps
from couchvoice.scenario.talk_record import TalkRecord
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.scenario.waiting import Waiting
from couchvoice.settings import Settings

LOCAL_SLO = Limits(connect_ms=1500.0, response_ms=1500.0)


@dataclass(frozen=True, slots=True)
class Held:
    """``record`` is None when nothing was held."""

    outcome: Outcome
    record: TalkRecord | None


def run_scenario(scenario: Scenario, settings: Settings, *, speed: float | None = None) -> Held:
    """On a loop of its own. ``speed`` None: as fast as it can where both ends are embedded, else in real time.

    Raises ConfigError for a speed that cannot be; what is wrong with the scenario is in its outcome.
    """
    chosen = chosen_speed(settings, speed)
    real, cpu = time.perf_counter(), time.process_time()
    held = run(hold(scenario, settings, speed=chosen), speed=chosen)
    held.outcome.real_seconds = round(time.perf_counter() - real, 3)
    held.outcome.cpu_seconds = round(time.process_time() - cpu, 3)
    return held


async def hold(scenario: Scenario, settings: Settings, *, speed: float | None = REAL_TIME) -> Held:
    """On the loop that runs. ``speed`` is the loop's."""
    clock: Literal["media", "real"] = "real" if speed == REAL_TIME else "media"
    tap = TalkTap(scenario.name, clock=clock, speed=speed)
    outcome = Outcome(name=scenario.name, file=str(scenario.file), clock=clock)
    with tempfile.TemporaryDirectory(prefix="couchvoice-") as folder:
        await _hold(scenario, settings, tap, outcome, Path(folder))
    outcome.seconds = round(tap.now, 3)
    record = tap.finish(outcome.outcome, outcome.error)
    return Held(outcome, record)


async def _hold(scenario: Scenario, settings: Settings, tap: TalkTap, outcome: Outcome, folder: Path) -> None:
    steps: Steps | None = None
    tap.begin()
    try:
        speech = await prepared_speech(scenario, folder)
        async with asyncio.timeout(scenario.script.deadline), Stage(scenario, settings, speech, tap, folder) as stage:
            waiting = Waiting(stage)
            examiner = Examiner(stage, waiting, default_slo=_default_slo(settings))
            outcome.checks = examiner.checks
            steps = Steps(stage, waiting, examiner)
            try:
                await steps.perform_all()
            finally:
                whole = stage.observed.since(0)
                outcome.figures = {name: values for name, values in whole.figures().items() if values}
                outcome.turns = len(whole.turns)
    except StepFailed as exc:
        _failed(outcome, f"{line_of(scenario, exc.path)}: {exc}")
    except TimeoutError:
        at = line_of(scenario, steps.at) if steps else scenario.file.name
        _failed(outcome, f"{at}: the scenario did not end within {scenario.script.deadline:g} s (deadline)")
    except CouchvoiceError as exc:
        outcome.outcome, outcome.error = "broken", writable(str(exc))


def _failed(outcome: Outcome, error: str) -> None:
    outcome.outcome, outcome.error = "failed", writable(error)


def _default_slo(settings: Settings) -> Limits:
    local = settings.backend_url is None and settings.realtime_url is None and settings.provider in (None, "local")
    return LOCAL_SLO if local else Limits()
