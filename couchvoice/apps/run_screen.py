"""What ``run`` shows: a bar where somebody watches, lines where a log is kept; what failed, with its place.

Law: words from the network are cleaned before they reach a terminal; the same scenario is told once.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from couchvoice.apps.screen import clean
from couchvoice.scenario.outcome import Outcome
from couchvoice.scenario.results import merged_figures, summed_up

_SECONDS_OF_A_MINUTE = 60.0
_NOT_PASSED: tuple[Literal["failed", "broken"], ...] = ("failed", "broken")


class RunScreen(Protocol):
    def show(self, outcome: Outcome) -> None: ...


class LogScreen:
    """A line for each scenario."""

    def show(self, outcome: Outcome) -> None:
        for line in lines_of(outcome):
            print(line, flush=True)


class BarScreen:
    """A bar, and above it what failed."""

    def __init__(self, progress: Progress, count: int) -> None:
        self._progress = progress
        self._task = progress.add_task("held", total=count)

    def show(self, outcome: Outcome) -> None:
        if not outcome.passed or outcome.attempts > 1:
            for line in lines_of(outcome):
                self._progress.console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
        self._progress.advance(self._task)


@contextmanager
def run_screen(count: int) -> Iterator[RunScreen]:
    if not sys.stdout.isatty():
        yield LogScreen()
        return
    columns = (TextColumn("scenarios"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(), transient=True) as progress:
        yield BarScreen(progress, count)


def lines_of(outcome: Outcome) -> Iterator[str]:
    tries = f", try {outcome.attempts}" if outcome.attempts > 1 else ""
    took = f"{outcome.seconds:.1f} s of talk in {outcome.real_seconds:.1f} s{tries}"
    if outcome.passed:
        yield clean(f"passed  {outcome.name} ({took})")
        return
    yield clean(f"{outcome.outcome.upper()}  {outcome.name} ({took})")
    yield f"    {clean(outcome.error or '')}"
    for line in (outcome.mismatch or "").splitlines()[1:]:
        sign, rest = line[:1], line[1:]
        yield f"    | {clean(sign) or ' '}{' ' * (len(rest) - len(rest.lstrip()))}{clean(rest)}"
    # The first of them is the error, unless that is the cassette's.
    for check in outcome.failed_checks[0 if outcome.mismatch else 1 :]:
        yield f"    {clean(f'{check.line}: {check.what}: expected {check.expected}, got {check.got}')}"


def summary_lines(outcomes: Sequence[Outcome], *, planned: int, seconds: float) -> Iterator[str]:
    """The last words. ``seconds`` of real time."""
    kinds = Counter(one.outcome for one in outcomes)
    counts = [f"{kinds['passed']} passed", *(f"{kinds[kind]} {kind}" for kind in _NOT_PASSED if kinds[kind])]
    if flaky := sum(one.passed and one.attempts > 1 for one in outcomes):
        counts.append(f"{flaky} of them not at once")
    if planned > len(outcomes):
        counts.append(f"{planned - len(outcomes)} not held")
    held = [one for one in outcomes if one.outcome != "broken"]
    talk, cpu = sum(one.seconds for one in held), sum(one.cpu_seconds for one in held)
    core = f", {len(held) * _SECONDS_OF_A_MINUTE / cpu:.0f} scenarios per minute of a core" if cpu else ""
    yield f"{', '.join(counts)}: {talk:.1f} s of talk in {seconds:.1f} s{core}"
    figures = summed_up(merged_figures(outcomes))
    if figures:
        clocks = " and ".join(sorted({one.clock for one in outcomes if one.figures}))
        told = "; ".join(
            f"{name.removesuffix('_ms').replace('_', ' ')} {figure['p50']:.0f}/{figure['p95']:.0f}"
            for name, figure in figures.items()
        )
        yield f"ms, p50/p95, on the {clocks} clock: {told}"
