"""Holds what a script expects against the talk, when the talk is ready for it, and keeps what came of each check.

Law: an expectation looks at what has happened since the one before; the first that fails ends the script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from couchvoice.scenario.expectations import Check, Judgement, checked, judgements, limits_checked
from couchvoice.scenario.observed import Window
from couchvoice.scenario.outcome import CheckOutcome, writable
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script import Expect, Limits
from couchvoice.scenario.stage import Stage
from couchvoice.scenario.waiting import Waiting

SETTLING = 3.0  # seconds that what is expected may come after the talk was quiet: the answer to a turn, say


class StepFailed(Exception):
    """``path`` of the step. The text says why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path


class Examiner:
    """``default_slo`` counts for a script that has none."""

    def __init__(self, stage: Stage, waiting: Waiting, *, default_slo: Limits) -> None:
        self.checks: list[CheckOutcome] = []
        self.left_to_a_judge: list[tuple[str, Judgement]] = []  # with the place of each
        self._stage = stage
        self._waiting = waiting
        self._default_slo = default_slo
        self._observed = stage.observed
        self.window = stage.observed.since(0)  # what the next expectation looks at
        self._error_is_expected = False

    async def examine(self, expect: Expect, path: str) -> None:
        """What has happened since the last time. Raises StepFailed."""
        loop = asyncio.get_running_loop()
        until = loop.time() + expect.patience
        quiet = await self._waiting.settled(within=expect.patience)
        window = self.window
        await self._look_at_history(expect)
        if self._stage.is_open:
            patience = max(0.0, min(until - loop.time(), SETTLING))
            await self._observed.until(lambda: all(one.passed for one in checked(expect, window)), within=patience)
        failed = self._judge(expect, window, path)
        self.look_away()
        if failed:
            restless = "" if quiet else f" (the talk was not quiet within {expect.patience:g} s)"
            raise StepFailed(f"{path}.{failed.path}", sentence_of(failed) + restless)
        self.require_whole(path)

    def look_away(self) -> None:
        """What has happened so far was looked at."""
        self.window = self._observed.since(len(self._observed.notices), self._stage.tap.now)

    async def examine_whole(self) -> None:
        """The conversation is over: what is expected of all of it, and how fast it was to be. Raises StepFailed."""
        script, whole = self._stage.scenario.script, self._observed.since(0)
        if script.expect is not None:
            await self._look_at_history(script.expect)
            if failed := self._judge(script.expect, whole, "$.expect"):
                raise StepFailed(f"$.expect.{failed.path}", sentence_of(failed))
        self.require_whole("$")
        slo = self._default_slo if script.slo is None else script.slo
        if failed := self._note(limits_checked(slo, whole.figures()), "$.slo"):
            raise StepFailed(f"$.slo.{failed.path}", f"slower than agreed: {sentence_of(failed)}")

    def require_whole(self, path: str) -> None:
        """Raises StepFailed when the talk broke off and nobody expected it."""
        if self._observed.error is not None and not self._error_is_expected:
            text, code = self._observed.error_text, self._observed.error
            raise StepFailed(path, text if code in text else f"{text} ({code})")

    async def _look_at_history(self, expect: Expect) -> None:
        if expect.history is not None:
            await self._stage.look_at_history()
        if expect.audit is not None:
            await self._stage.look_at_audits(len(self._observed.since(0).turns), within=SETTLING)

    def _judge(self, expect: Expect, window: Window, path: str) -> Check | None:
        self._error_is_expected = self._error_is_expected or expect.error is not None
        for one in judgements(expect, window):
            self.left_to_a_judge.append((self._line(f"{path}.{one.path}"), one))
        return self._note(checked(expect, window), path)

    def _note(self, checks: Iterable[Check], path: str) -> Check | None:
        """Keep them; the first that failed, if one did."""
        first: Check | None = None
        for check in checks:
            line, expected, got = self._line(f"{path}.{check.path}"), writable(check.expected), writable(check.got)
            self.checks.append(CheckOutcome(check.path, check.passed, expected, got, line))
            self._stage.tap.check(check.path, passed=check.passed, expected=expected, got=got, line=line)
            if not check.passed:
                first = first or check
        return first

    def _line(self, path: str) -> str:
        return line_of(self._stage.scenario, path)


def sentence_of(check: Check) -> str:
    return f"{check.path}: expected {check.expected}, got {check.got}"


def line_of(scenario: Scenario, path: str) -> str:
    """As FILE:LINE:COLUMN, without the file's folder."""
    place = scenario.place(path)
    return f"{place.file.name}:{place.line}:{place.column}"
