"""What ``run`` shows while it goes on, and at its end."""

from __future__ import annotations

import io

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from couchvoice.apps.run_screen import BarScreen, LogScreen, lines_of, summary_lines
from couchvoice.scenario.outcome import CheckOutcome, Outcome
from tests.apps.examples import ESCAPE, MARKUP

GOOD = Outcome(name="good", file="a.yaml", seconds=12.0, real_seconds=1.25, cpu_seconds=1.0, figures={"stop_ms": [9.0]})
BAD = Outcome(
    name=f"bad {ESCAPE}",
    file="a.yaml",
    outcome="failed",
    error=f"a.yaml:3:5: user: expected x, got {MARKUP}{ESCAPE}",
    checks=[
        CheckOutcome("user", False, "x", "y", "a.yaml:3:5"),
        CheckOutcome("tools", False, "a", ESCAPE, "a.yaml:4:5"),
    ],
    clock="media",
    figures={"stop_ms": [1.0, 30.0]},
)


def test_a_bar_counts_and_what_failed_stands_above_it_as_it_was_written() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=200)
    with Progress(BarColumn(), MofNCompleteColumn(), console=console) as progress:
        screen = BarScreen(progress, 2)
        for outcome in (GOOD, BAD):
            screen.show(outcome)
    shown = written.getvalue()
    assert "2/2" in shown
    assert "good" not in shown
    assert "FAILED bad" in shown
    assert MARKUP in shown  # rich has not taken it for its own
    assert "owned\x07" not in shown


def test_a_log_has_a_line_for_each_and_all_that_failed(capsys) -> None:
    for outcome in (GOOD, BAD):
        LogScreen().show(outcome)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "passed good (12.0 s of talk in 1.2 s)"
    assert lines[1].startswith("FAILED bad")
    assert lines[2].startswith("    a.yaml:3:5: user: expected x, got [bold red]")
    assert lines[3].startswith("    a.yaml:4:5: tools: expected a, got")
    assert not any(character in line for line in lines for character in "\x1b\x07\x9b")


def test_a_scenario_that_passed_at_a_later_try_is_told_as_such() -> None:
    flaky = Outcome(name="flaky", file="a.yaml", attempts=2, earlier_errors=["late"])
    assert list(lines_of(flaky)) == ["passed flaky (0.0 s of talk in 0.0 s, try 2)"]
    assert next(summary_lines([flaky], planned=1, seconds=1)).startswith("1 passed, 1 of them not at once: ")


def test_the_summary_counts_and_tells_each_figure_with_its_clock() -> None:
    counts, figures = summary_lines([GOOD, BAD], planned=3, seconds=2.0)
    assert counts == "1 passed, 1 failed, 1 not held: 12.0 s of talk in 2.0 s, 120 scenarios per minute of a core"
    assert figures == "ms, p50/p95, on the media and real clock: stop 9/30"
