"""Arguments for a call that somebody else's schema describes: what is given, completed until the schema is satisfied.

Not a model: texts are the user's words, choices are those that the user named, else the first; nothing is agreed to
that was not (booleans are false). Optional properties are left out.
Law: what comes out satisfies the schema, judged by SchemaCheck, which runs no pattern; what cannot be made is
CannotMake, never a guess.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from couchvoice.local.engines.schema_check import Schema, SchemaCheck, TooHard, key, listed

MAX_DEPTH = 24  # levels of a schema
MAX_ITEMS = 100  # that are made for a list
MAX_LENGTH = 10_000  # characters that a text is made of

_TRIES = 64  # multiples that are looked at
_FILLER = "text"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_EXAMPLES = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1M",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_COMBINING = ("$ref", "anyOf", "oneOf", "if", "allOf")  # allOf last: it takes what two schemas both have of the others
_TELLTALES = {  # of a type that a schema leaves out
    "object": {"properties", "required", "additionalProperties", "minProperties"},
    "array": {"items", "prefixItems", "minItems", "uniqueItems"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
_LARGEST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_SMALLEST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}


class CannotMake(Exception):
    """No arguments were found that satisfy the schema."""


def arguments_for(schema: Schema, *, given: Mapping[str, Any] | None = None, words: str = "") -> dict[str, Any]:
    """``given`` stays as far as it fits. ``words`` are the user's. Raises CannotMake."""
    given = given or {}
    try:
        check = SchemaCheck(schema)
        if check.fits(dict(given), schema):
            return dict(given)
        for kept in (given, {}):
            for value in _Maker(check, words.strip()).values(_both(schema, {"type": "object"}), kept):
                if isinstance(value, dict) and check.fits(value, schema):
                    return value
    # What does not look like a schema at all ends in one of the others.
    except (TooHard, RecursionError, TypeError, AttributeError, ValueError, OverflowError) as exc:
        raise CannotMake from exc
    raise CannotMake


class _Maker:
    """Proposes values, the likeliest first; whoever asks checks them."""

    def __init__(self, check: SchemaCheck, words: str) -> None:
        self._check = check
        self._words = words

    def values(self, schema: Schema, given: Mapping[str, Any] | None = None, depth: int = 0) -> Iterator[Any]:
        self._check.count()
        if schema is False or depth > MAX_DEPTH:
            return
        schema = schema if isinstance(schema, Mapping) else {}
        for plain in self._alternatives(schema, depth):
            if "const" in plain:
                yield plain["const"]
            elif "enum" in plain:
                yield from sorted(plain["enum"], key=self._is_unsaid)
            else:
                if "default" in plain and not given:
                    yield plain["default"]
                for kind in _kinds(plain):
                    yield from self._of_kind(kind, plain, given or {}, depth)

    def _alternatives(self, schema: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
        """The schema without references and combinations, once for each way through them."""
        self._check.count()
        if depth > MAX_DEPTH:
            return
        name = next(filter(schema.__contains__, _COMBINING), None)
        if name is None:
            yield schema
            return
        rest = {other: value for other, value in schema.items() if other != name}
        for way in self._ways(name, schema):
            yield from self._alternatives(_both(rest, way), depth + 1)

    def _ways(self, name: str, schema: Mapping[str, Any]) -> list[Schema]:
        match name:
            case "$ref":
                return [self._check.resolved(schema[name])]
            case "if":
                return [_both(schema[name], schema.get("then", True)), schema.get("else", True)]
            case "allOf":
                return [functools.reduce(_both, schema[name], True)]
            case _:
                return list(schema[name])

    def _of_kind(self, kind: str, schema: Mapping[str, Any], given: Mapping[str, Any], depth: int) -> Iterator[Any]:
        match kind:
            case "object":
                yield from self._objects(schema, given, depth)
            case "array":
                yield from self._lists(schema, depth)
            case "string":
                yield from self._texts(schema)
            case "integer" | "number":
                yield from self._numbers(schema, whole=kind == "integer")
            case "boolean":
                yield from (False, True)
            case "null":
                yield None

    def _objects(self, schema: Mapping[str, Any], given: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        yield from schema.get("examples", ()) if not given else ()
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        made = {name: value for name, value in given.items() if self._check.fits(value, known.get(name, others))}
        spare = (name for name in itertools.chain(known, map("more_{}".format, itertools.count(1))) if name not in made)
        wanted = [name for name in schema.get("required", ()) if name not in made]
        try:
            for name in wanted:
                made[name] = self._one(known.get(name, others), depth)
            yield dict(made)
            while len(made) < schema.get("minProperties", 0):
                name = next(spare)
                made[name] = self._one(known.get(name, others), depth)
            for more in schema.get("dependentRequired", {}).values():
                for name in more:
                    made[name] = made[name] if name in made else self._one(known.get(name, others), depth)
        except CannotMake:
            return
        yield made

    def _lists(self, schema: Mapping[str, Any], depth: int) -> Iterator[list[Any]]:
        yield from schema.get("examples", ())
        wanted = schema.get("minItems", 0)
        if wanted > MAX_ITEMS:
            return
        made: list[Any] = []
        first = schema.get("prefixItems", ())
        for part in itertools.islice(itertools.chain(first, itertools.repeat(schema.get("items", True))), wanted):
            try:
                made.append(self._one(part, depth, but=map(key, made) if schema.get("uniqueItems") else ()))
            except CannotMake:
                return
        yield made

    def _one(self, schema: Schema, depth: int, *, but: Iterable[str] = ()) -> Any:
        taken = set(but)
        for value in self.values(schema, depth=depth + 1):
            if self._check.fits(value, schema) and key(value) not in taken:
                return value
        raise CannotMake

    def _texts(self, schema: Mapping[str, Any]) -> Iterator[str]:
        shortest, longest = schema.get("minLength", 0), schema.get("maxLength")
        # A stranger's expression is not run over the user's words: it may take for ever.
        if "pattern" in schema:
            yield from schema.get("examples", ())
            return
        if shortest > MAX_LENGTH:
            return
        yield from schema.get("examples", ()) if "format" in schema else ()
        if named := _EXAMPLES.get(schema.get("format", "")):
            yield named
        if self._words:
            yield self._words[:longest].ljust(shortest, ".")
        yield from schema.get("examples", ())
        for number in range(MAX_ITEMS + 1):
            text = f"{_FILLER}{number or ''}".rjust(shortest, "_")
            yield text if longest is None else text[max(0, len(text) - longest) :]

    def _numbers(self, schema: Mapping[str, Any], *, whole: bool) -> Iterator[float]:
        for said in _NUMBER.findall(self._words):
            yield int(said) if said.lstrip("-").isdecimal() else float(said)
        yield from schema.get("examples", ())
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        step = schema.get("multipleOf") or 1
        start = math.ceil(low / step) if low > -math.inf else min(0, math.floor(min(high, 0) / step))
        direction = 1 if low > -math.inf or high == math.inf else -1
        for n in range(_TRIES):
            value = (start + direction * n) * step
            yield int(value) if whole and float(value).is_integer() else value
        if low > -math.inf and high < math.inf and not whole:
            yield from (low, high, (low + high) / 2)

    def _is_unsaid(self, value: Any) -> bool:
        return str(value).lower() not in self._words.lower()


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    """The types that a value may have, null last."""
    if "type" in schema:
        kinds = [str(kind) for kind in listed(schema["type"])]
        return sorted(kinds, key=lambda kind: kind == "null")
    likely = [kind for kind, telltales in _TELLTALES.items() if telltales & schema.keys()]
    return likely or ["string"]


def _both(one: Schema, other: Schema) -> Schema:
    """A schema for what satisfies both, near enough to propose values by."""
    if one is False or other is False:
        return False
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return one if isinstance(one, Mapping) else other
    both: dict[str, Any] = {**one}
    for name, value in other.items():
        if name not in both:
            both[name] = value
        elif name in _COMBINING:
            both["allOf"] = [*both.get("allOf", ()), *(value if name == "allOf" else [{name: value}])]
        else:
            both[name] = _joined(name, both[name], value)
    return both


def _joined(name: str, one: Any, other: Any) -> Any:
    if name in _LARGEST:
        return max(one, other)
    if name in _SMALLEST:
        return min(one, other)
    match name:
        case "properties":
            return {**one, **{field: _both(one.get(field, True), schema) for field, schema in other.items()}}
        case "required":
            return [*dict.fromkeys([*one, *other])]
        case "type":
            return _common_types(listed(one), listed(other))
        case "enum":
            return [value for value in one if key(value) in map(key, other)]
        case "items" | "additionalProperties":
            return _both(one, other)
        case _:
            return other


def _common_types(one: list[str], other: list[str]) -> list[str]:
    wider = {"integer", "number"}
    common = [kind for kind in one if kind in other]
    return common or (["integer"] if wider & set(one) and wider & set(other) else [])
