"""What the command line of ``run`` says.

Law: what cannot be is refused before anything is held.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from couchvoice.errors import ConfigError
from couchvoice.scenario.collect import SHIPPED, collected, shard_of
from couchvoice.scenario.crew import CrewOptions
from couchvoice.scenario.media_clock import REAL_TIME, chosen_speed
from couchvoice.scenario.results import require_writable
from couchvoice.scenario.scenario import Scenario
from couchvoice.settings import Settings

MOST_RETRIES = 10
MOST_WORKERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """``settings`` are the options of both ends, as for load_settings: the workers read them again."""

    scenarios: Sequence[Path]
    settings: dict[str, str | None]
    shipped: bool = False
    junit: Path | None = None
    json: Path | None = None
    report: Path | None = None
    record: Path | None = None
    replay: Path | None = None
    speed: float | None = None
    workers: int | None = None
    shard: str | None = None
    retry: int = 0
    fail_fast: bool = False
    watch: bool = False

    @property
    def paths(self) -> list[Path]:
        return [*self.scenarios, *([SHIPPED] if self.shipped else [])]

    def collected(self) -> list[Scenario]:
        """Those of this shard. Raises ConfigError."""
        if not self.paths:
            raise ConfigError("which scenarios? name files or folders, or --shipped")
        return collected(self.paths, None if self.shard is None else shard_of(self.shard))

    def crew(self) -> CrewOptions:
        workers = self.workers if self.workers is not None else _cores()
        return CrewOptions(workers=workers, retry=self.retry, fail_fast=self.fail_fast)

    def check(self, settings: Settings) -> None:
        """Raises ConfigError."""
        if self.workers is not None and not 1 <= self.workers <= MOST_WORKERS:
            raise ConfigError(f"--workers {self.workers}: write a number from 1 to {MOST_WORKERS}")
        if not 0 <= self.retry <= MOST_RETRIES:
            raise ConfigError(f"--retry {self.retry}: write a number from 0 to {MOST_RETRIES}")
        if self.speed is not None and not self.speed >= REAL_TIME:  # nan is not, either
            raise ConfigError(f"--speed {self.speed:g}: write a number from {REAL_TIME:g} (real time) on")
        chosen_speed(settings, self.speed)
        self._check_cassettes(settings)
        for path in (self.junit, self.json, self.report):
            if path is not None:
                require_writable(path)  # rather now than when all has been held

    def _check_cassettes(self, settings: Settings) -> None:
        """Raises ConfigError."""
        if self.record is not None and self.replay is not None:
            raise ConfigError("--record and --replay: what is played has been recorded; use one of them")
        if self.replay is None:
            return
        elsewhere = settings.backend_url or settings.realtime_url or (settings.provider or "local") != "local"
        if elsewhere:
            raise ConfigError(
                "--replay plays the cassette at the embedded Realtime server: leave out --backend, --provider and "
                "--realtime-url, or play it with couchvoice serve realtime --replay"
            )


def _cores() -> int:
    """That this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
