"""What stands in {braces} in a call's arguments: filled with what was heard, and with what tools told before.

Law: a value is taken from one output of a tool, the newest that has any of the names; where it lacks one of them, or
says otherwise than the rule wants, the rule is not for this moment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PLACEHOLDER = re.compile(r"\{([\w.]+)\}")
HEARD = "heard"  # the user's words


def names_in(value: object) -> set[str]:
    match value:
        case str():
            return set(PLACEHOLDER.findall(value))
        case Mapping():
            return set().union(*map(names_in, value.values()))
        case list():
            return set().union(*map(names_in, value))
    return set()


def fill(value: Any, values: Mapping[str, object]) -> Any:
    """A text that is one placeholder becomes the value as it is, a number too; what is not known stays as it stands."""
    match value:
        case str():
            whole = PLACEHOLDER.fullmatch(value)
            if whole is not None:
                return values.get(whole[1], value)
            return PLACEHOLDER.sub(lambda name: str(values.get(name[1], name[0])), value)
        case Mapping():
            return {name: fill(inner, values) for name, inner in value.items()}
        case list():
            return [fill(inner, values) for inner in value]
    return value


def told_before(
    items: Sequence[Mapping[str, Any]], names: set[str], known: Mapping[str, object]
) -> Mapping[str, object] | None:
    """The values of ``names``, where ``known`` holds. None: no tool has told them."""
    if not names and not known:
        return {}
    for output in _outputs(items):
        if output.keys() & {*names, *known}:
            fits = names <= output.keys() and all(output.get(name) == value for name, value in known.items())
            return {name: output[name] for name in names} if fits else None
    return None


def _outputs(items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, object]]:
    """The newest first."""
    for item in reversed(items):
        if item.get("type") == "function_call_output":
            try:
                output = json.loads(item.get("output") or "")
            except (ValueError, TypeError, RecursionError):
                continue
            if isinstance(output, dict):
                yield output
