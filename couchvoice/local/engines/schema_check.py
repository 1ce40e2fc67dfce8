"""Whether a value satisfies a JSON schema (draft 2020-12): the jsonschema package, with a bound on what it costs.

``pattern`` is not checked: a stranger's expression may take for ever.
Law: a schema that points to itself for ever, or elsewhere, is TooHard; nothing is fetched.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

Schema = Any  # JSON: an object, or a boolean

MAX_STEPS = 20_000  # of making one tool's arguments: a schema that points to itself must not go on for ever
MAX_TIME = 0.15  # s of CPU for the same: the server's loop waits meanwhile


class TooHard(Exception):
    """The schema takes too many steps, points to nowhere, or is none."""


class SchemaCheck:
    """``root`` is what ``$ref`` points into. One for each tool and question: it counts its steps. Raises TooHard."""

    def __init__(self, root: Schema) -> None:
        try:
            Draft202012Validator.check_schema(root)
            _refuse_expressions_for_names(root)
        except SchemaError as exc:
            raise TooHard from exc
        self._root = root
        self._validator = _validator_class(self._hurry)(root, format_checker=Draft202012Validator.FORMAT_CHECKER)
        self._steps = 0
        self._end = time.thread_time() + MAX_TIME

    def fits(self, value: Any, schema: Schema) -> bool:
        self.count()
        try:
            return bool(self._validator.evolve(schema=schema).is_valid(value))
        except Unresolvable as exc:
            raise TooHard from exc

    def resolved(self, reference: object) -> Schema:
        """What a ``$ref`` into the same schema points to."""
        if not isinstance(reference, str) or not f"{reference}/".startswith("#/"):
            raise TooHard(reference)  # elsewhere, or an anchor
        found = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, Mapping) and name in found:
                found = found[name]
            else:
                raise TooHard(reference)
        return found

    def count(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooHard
        self._hurry()

    def _hurry(self) -> None:
        if time.thread_time() > self._end:
            raise TooHard


def _validator_class(hurry: Callable[[], None]) -> Any:
    """Draft 2020-12 without ``pattern``; asks before each keyword whether there is time left."""

    def in_time(rule: Callable[..., Any]) -> Callable[..., Any]:
        def check(*args: Any) -> Any:
            hurry()
            return rule(*args)

        return check

    rules: dict[str, Any] = {name: in_time(rule) for name, rule in Draft202012Validator.VALIDATORS.items()}
    return extend(Draft202012Validator, rules | {"pattern": lambda *_: ()})


def _refuse_expressions_for_names(schema: Schema) -> None:
    """``patternProperties`` runs expressions, too, and nothing can be told of an object without them."""
    if isinstance(schema, Mapping):
        if "patternProperties" in schema:
            raise TooHard
        for part in schema.values():
            _refuse_expressions_for_names(part)
    elif isinstance(schema, list):
        for part in schema:
            _refuse_expressions_for_names(part)


def listed(value: Any) -> list[Any]:
    """``type`` may be one or several."""
    return list(value) if isinstance(value, list | tuple) else [value]


def key(value: Any) -> str:
    """Equal for what JSON takes as equal: 1 and 1.0 are, 1 and true are not."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(item) for item in value]
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value
