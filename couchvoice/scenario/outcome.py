"""What came of a scenario, as a line of JSON and as a case of JUnit have it.

Law: plain data, small enough to go from one process to another; the sound and the events are in the record.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class CheckOutcome(msgspec.Struct, frozen=True):
    """``line``: where it stands, FILE:LINE:COLUMN."""

    what: str
    passed: bool
    expected: str
    got: str
    line: str


class Outcome(msgspec.Struct, kw_only=True):
    """``outcome``: failed when the conversation was not as expected, broken when it could not be held.

    ``seconds`` are of the conversation's own ``clock``: "media" or "real"; ``real_seconds`` of whoever waits.
    ``figures``: all measurements of a name in ms, on the same clock. ``talk``: the file of its record, if it is kept.
    ``mismatch``: what the client did otherwise than the cassette that it was played, in several lines.
    """

    name: str
    file: str
    outcome: Literal["passed", "failed", "broken"] = "passed"
    error: str | None = None
    mismatch: str | None = None
    checks: list[CheckOutcome] = []
    figures: dict[str, list[float]] = {}
    turns: int = 0
    clock: Literal["media", "real"] = "real"
    seconds: float = 0.0
    real_seconds: float = 0.0
    cpu_seconds: float = 0.0
    attempts: int = 1
    earlier_errors: list[str] = []  # of the attempts that failed before
    talk: str | None = None

    def fail(self, error: str) -> None:
        """The first reason stays."""
        if self.passed:
            self.outcome, self.error = "failed", writable(error)

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def failed_checks(self) -> list[CheckOutcome]:
        return [check for check in self.checks if not check.passed]


def writable(text: str) -> str:
    """Half a surrogate pair, as a network may send it, can be in no file: it is shown."""
    return text.encode("utf-8", "backslashreplace").decode()
