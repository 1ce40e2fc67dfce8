"""What a script expects, held against what has happened. Pure.

Law: each thing that is expected gives one Check, with what was wanted and what came, whether it holds or not; a
judge's part is left to the judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from couchvoice.scenario.observed import Observed, ToolUse, Window
from couchvoice.scenario.percentiles import percentile
from couchvoice.scenario.script import Expect, HistoryCheck, Limits, TextCheck, ToolCheck, TurnCheck

NOTHING = "nothing"
FOUND = ("invented_number", "missed_crisis")  # by the audits of turns


@dataclass(frozen=True, slots=True)
class Check:
    """``path``: of what was expected, within the ``expect``: "tools[0].arguments"."""

    path: str
    passed: bool
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Left to a judge: whether the sentence is true of the text."""

    path: str
    sentence: str
    text: str


def checked(expect: Expect, seen: Window) -> list[Check]:
    """One for each thing that is expected, in the order of Expect's fields."""
    return list(_checks(expect, seen))


def judgements(expect: Expect, seen: Window) -> list[Judgement]:
    turn, told = expect.turn or TurnCheck(), seen.turns[-1].turn if seen.turns else None
    texts: list[tuple[str, str | TextCheck | None, str]] = [
        ("user", expect.user, seen.user_text),
        ("assistant", expect.assistant, seen.assistant_text),
        ("turn.user_text", turn.user_text, told.user_text if told else ""),
        ("turn.assistant_text", turn.assistant_text, told.assistant_text if told else ""),
        ("end_detail", expect.end_detail, seen.whole.end_detail),
    ]
    return [
        Judgement(f"{path}.judge", check.judge, text)
        for path, check, text in texts
        if isinstance(check, TextCheck) and check.judge is not None
    ]


def limits_checked(limits: Limits, figures: Mapping[str, list[float]]) -> Iterator[Check]:
    """The p95 of each figure against its limit; what was not measured is left out."""
    for name, limit in _given(limits):
        values = figures.get(name, ())
        if not values:
            continue
        p95 = percentile(values, 0.95)
        several = f" (p95 of {len(values)})" if len(values) > 1 else ""
        yield Check(name, p95 <= limit, f"at most {limit:g} ms", f"{p95:g} ms{several}")


def _checks(expect: Expect, seen: Window) -> Iterator[Check]:
    yield from _text("user", expect.user, seen.user_text)
    yield from _text("assistant", expect.assistant, seen.assistant_text)
    yield from _tools(expect, seen)
    if expect.turn is not None:
        yield from _turn(expect.turn, seen)
    yield from _equal("turns", expect.turns, len(seen.turns))
    yield from _equal("interrupted", expect.interrupted, seen.interrupted)
    yield from _equal("audio", expect.audio, seen.audible)
    if expect.within is not None:
        yield from _within(expect.within, seen.figures())
    yield from _equal("problems", expect.problems, seen.problems)
    yield from _equal("error", expect.error, seen.whole.error)
    yield from _equal("finalized", expect.finalized, seen.whole.finalized)
    yield from _text("end_detail", expect.end_detail, seen.whole.end_detail)
    if expect.history is not None:
        yield from _history(expect.history, seen.whole)
    if expect.audit is not None:
        found = [word for word in FOUND for _ in range(seen.whole.audits.get(word, 0))]
        yield from _equal("audit", sorted(expect.audit), sorted(found))


def _within(limits: Limits, figures: Mapping[str, list[float]]) -> Iterator[Check]:
    for name, limit in _given(limits):
        if not figures.get(name):
            yield Check(f"within.{name}", False, f"at most {limit:g} ms", "it was not measured")
    for check in limits_checked(limits, figures):
        yield Check(f"within.{check.path}", check.passed, check.expected, check.got)


def _given(limits: Limits) -> Iterator[tuple[str, float]]:
    for name in limits.__struct_fields__:
        if (limit := getattr(limits, name)) is not None:
            yield name, limit


def _text(path: str, wanted: str | TextCheck | None, text: str) -> Iterator[Check]:
    if wanted is None:
        return
    check = TextCheck(equals=wanted) if isinstance(wanted, str) else wanted
    got = _words(text)
    shown = _quoted(got) if got else NOTHING
    if check.equals is not None:
        expected = _words(check.equals)
        yield Check(path, got == expected, _quoted(expected) if expected else NOTHING, shown)
    for part in _several(check.contains):
        yield Check(f"{path}.contains", _words(part) in got, f"{_quoted(part)} in it", shown)
    if check.matches is not None:
        yield Check(f"{path}.matches", re.search(check.matches, got) is not None, f"/{check.matches}/ in it", shown)
    for part in _several(check.lacks):
        yield Check(f"{path}.lacks", _words(part) not in got, f"no {_quoted(part)} in it", shown)


def _tools(expect: Expect, seen: Window) -> Iterator[Check]:
    uses = seen.tools
    names = [use.name for use in uses]
    shown = ", ".join(names) or NOTHING
    if expect.tools is not None:
        wanted = [_tool(item) for item in expect.tools]
        expected = ", ".join(check.name for check in wanted) or NOTHING
        same = names == [check.name for check in wanted]
        yield Check("tools", same, expected, shown)
        if same:
            for index, (check, use) in enumerate(zip(wanted, uses, strict=True)):
                yield from _use(f"tools[{index}]", check, use, seen)
    for index, item in enumerate(expect.tools_among or ()):
        check = _tool(item)
        path = f"tools_among[{index}]"
        found = [list(_use(path, check, use, seen)) for use in uses if use.name == check.name]
        yield Check(path, bool(found), f"{check.name} among them", shown)
        if found:  # the one that comes closest
            yield from min(found, key=lambda checks: sum(not one.passed for one in checks))
    for name in expect.no_tools or ():
        yield Check("no_tools", name not in names, f"no {name}", shown)


def _use(path: str, check: ToolCheck, use: ToolUse, seen: Window) -> Iterator[Check]:
    if check.arguments is not None:
        yield _subset(f"{path}.arguments", check.arguments, use.arguments)
    if check.output is not None:
        yield _subset(f"{path}.output", check.output, use.output)
    status = check.status or ("completed" if check.error is None else "failed")
    why = f" ({use.error})" if use.error else ""
    yield Check(f"{path}.status", use.status == status, status, use.status + why)
    if check.error is not None:
        yield Check(f"{path}.error", use.error == check.error, check.error, use.error or NOTHING)
    if check.before is not None:
        at = seen.assistant_said(re.compile(check.before).search)
        expected = f"{use.name} had ended before the assistant said /{check.before}/"
        if at is None:
            yield Check(f"{path}.before", False, expected, "it never said so")
        else:
            in_time = use.ended is not None and use.ended <= at
            got = f"it ended {(use.ended - at) * 1000:+.0f} ms from then" if use.ended is not None else "it runs still"
            yield Check(f"{path}.before", in_time, expected, got)


def _turn(check: TurnCheck, seen: Window) -> Iterator[Check]:
    if not seen.turns:
        yield Check("turn", False, "a turn that was recorded", NOTHING)
        return
    told = seen.turns[-1]
    yield from _equal("turn.outcome", check.outcome, told.turn.outcome.value)
    yield from _equal("turn.recorded", check.recorded, told.recorded)
    yield from _text("turn.user_text", check.user_text, told.turn.user_text)
    yield from _text("turn.assistant_text", check.assistant_text, told.turn.assistant_text)
    yield from _equal("turn.tool_calls", check.tool_calls, [call.name for call in told.turn.tool_calls])


def _history(check: HistoryCheck, seen: Observed) -> Iterator[Check]:
    messages = [message["content"] for turn in seen.history for message in turn["messages"]]
    yield from _equal("history.messages", check.messages, len(messages))
    yield from _equal("history.finalized", check.finalized, seen.history_finalized)
    yield from _text("history.text", check.text, "\n".join(messages))
    if check.turn is not None:
        yield _subset("history.turn", check.turn, seen.history[-1] if seen.history else {})


def _equal(path: str, wanted: object, got: object) -> Iterator[Check]:
    if wanted is not None:
        yield Check(path, got == wanted, _shown(wanted), _shown(got))


def _subset(path: str, wanted: Mapping[str, Any], got: Mapping[str, Any]) -> Check:
    return Check(path, _holds(wanted, got), _shown(wanted), _shown(got))


def _holds(wanted: Any, got: Any) -> bool:
    """Objects may have more than is wanted."""
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(
            name in got and _holds(value, got[name]) for name, value in wanted.items()
        )
    return bool(wanted == got)


def _tool(item: str | ToolCheck) -> ToolCheck:
    return ToolCheck(name=item) if isinstance(item, str) else item


def _several(item: str | list[str] | None) -> list[str]:
    return [] if item is None else [item] if isinstance(item, str) else item


def _words(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str) -> str:
    return f'"{text}"'


def _shown(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or NOTHING
    if value is None:
        return NOTHING
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
