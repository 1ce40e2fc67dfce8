"""Arguments that are made for a required call satisfy the tool's schema, as the jsonschema package judges it."""

from __future__ import annotations

import contextlib
import math
import re
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.local.engines.call_arguments import CannotMake, arguments_for

WORDS = "Tell me the weather in Paris in fahrenheit for 5 days."
LONGEST = 0.4  # s of CPU; 0.2 on a machine with nothing else to do

Schema = dict[str, Any]


def valid(value: object, schema: object) -> bool:
    """But for patterns, which are not run."""
    judge = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": lambda *_: ()})(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    return bool(judge.is_valid(value))


def of_one(schema: object, **more: object) -> Schema:
    """The parameters of a tool with one required property."""
    return {"type": "object", "properties": {"it": schema}, "required": ["it"], **more}


MADE = {
    "nothing asked for": ({}, {}),
    "no parameters that are required": ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
    "a text": (of_one({"type": "string"}), {"it": WORDS}),
    "a short text": (of_one({"type": "string", "maxLength": 4}), {"it": "Tell"}),
    "a choice that was named": (of_one({"enum": ["celsius", "fahrenheit"]}), {"it": "fahrenheit"}),
    "a choice that was not": (of_one({"enum": ["rain", "snow"]}), {"it": "rain"}),
    "a constant": (of_one({"const": {"a": [1]}}), {"it": {"a": [1]}}),
    "a default": (of_one({"type": "string", "default": "Rome"}), {"it": "Rome"}),
    "an example for a pattern": (of_one({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["ABC"]}), "ABC"),
    "a default for a pattern": (of_one({"type": "string", "pattern": "^a+$", "default": "aa"}), {"it": "aa"}),
    "a number that was said": (of_one({"type": "integer", "maximum": 7}), {"it": 5}),
    "a number that was not": (of_one({"type": "integer", "minimum": 10, "multipleOf": 7}), {"it": 14}),
    "between two numbers": (of_one({"exclusiveMinimum": 0, "exclusiveMaximum": 0.5, "type": "number"}), {"it": 0.25}),
    "a negative number": (of_one({"type": "integer", "exclusiveMaximum": 0}), {"it": -1}),
    "consent": (of_one({"type": "boolean"}), {"it": False}),
    "nothing or a text": (of_one({"type": ["null", "string"]}), {"it": WORDS}),
    "nothing": (of_one({"type": "null"}), {"it": None}),
    "a date": (of_one({"type": "string", "format": "date"}), {"it": "2026-01-01"}),
    "an empty list": (of_one({"type": "array", "items": {"type": "string"}}), {"it": []}),
    "some numbers": (of_one({"type": "array", "items": {"type": "integer"}, "minItems": 2}), {"it": [5, 5]}),
    "an object in an object": (of_one(of_one({"type": "string"})), {"it": {"it": WORDS}}),
    "a reference": (of_one({"$ref": "#/$defs/a~1b"}, **{"$defs": {"a/b": {"const": 1}}}), {"it": 1}),
    "a reference to the whole": (
        {"$ref": "#/$defs/all", "$defs": {"all": of_one({"type": "array", "items": {"$ref": "#"}})}},
        {"it": []},
    ),
    "one of two": (of_one({"oneOf": [{"type": "string", "maxLength": 0, "minLength": 1}, {"const": 2}]}), {"it": 2}),
    "all of two": (
        {"allOf": [of_one({"type": "string"}), {"properties": {"it": {"maxLength": 1}}}]},
        {"it": "T"},
    ),
    "either property": (
        {"properties": {"a": {"const": 1}, "b": {"const": 2}}, "anyOf": [{"required": ["b"]}, {"required": ["a"]}]},
        {"b": 2},
    ),
    "one that the other needs": (
        of_one({"const": 1}, dependentRequired={"it": ["more"]}),
        {"it": 1, "more": WORDS},
    ),
    "a tree that may end": (
        of_one({"$ref": "#/$defs/node"})
        | {
            "$defs": {
                "node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["name"]}
            }
        },
        {"it": {"name": WORDS}},
    ),
}


@pytest.mark.parametrize("case", MADE)
def test_arguments_are_made_of_the_schema_and_the_words(case: str) -> None:
    schema, expected = MADE[case]
    made = arguments_for(schema, words=WORDS)
    assert made == (expected if isinstance(expected, dict) else {"it": expected})
    assert valid(made, schema)


FORMATS = ("date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid")


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_kept(name: str) -> None:
    made = arguments_for(of_one({"type": "string", "format": name}), words=WORDS)
    assert made["it"] != WORDS
    assert valid(made, of_one({"type": "string", "format": name}))


HARD = {
    "ten thousand million characters": of_one({"type": "string", "minLength": 10**13}),
    "many ways that lead nowhere": {
        "properties": {name: {"anyOf": [{"type": "integer", "minimum": 5, "maximum": 1}] * 50} for name in "abcdefgh"},
        "required": list("abcdefgh"),
    },
    "an expression for names": {"patternProperties": {"^(a+)+$": {}}, "required": ["a" * 32 + "!"]},
}


@pytest.mark.parametrize("case", HARD)
def test_what_would_take_for_ever_is_refused_at_once(case: str) -> None:
    before = time.thread_time()
    with pytest.raises(CannotMake):
        arguments_for(HARD[case], words=WORDS)
    assert time.thread_time() - before < LONGEST


def test_a_strangers_expression_is_never_run() -> None:
    trap = "a" * 32 + "!"  # takes minutes
    schema = of_one({"type": "string", "pattern": "^(a+)+$", "examples": [trap]})
    before = time.thread_time()
    assert arguments_for(schema, given={"it": trap + "!"}) == {"it": trap + "!"}
    assert arguments_for(schema) == {"it": trap}
    assert time.thread_time() - before < LONGEST


IMPOSSIBLE = {
    "a pattern without an example": of_one({"type": "string", "pattern": "^[A-Z]{3}$"}),
    "what cannot be": of_one({"type": "string", "minLength": 3, "maxLength": 2}),
    "nothing at all": of_one(False),
    "no object": {"type": "string"},
    "a reference to nowhere": of_one({"$ref": "#/$defs/none"}),
    "a reference to elsewhere": of_one({"$ref": "https://example.com/schema"}),
    "a reference to an anchor": of_one({"$ref": "#here"}, **{"$defs": {"a": {"$anchor": "here", "const": 1}}}),
    "a reference to itself": of_one({"$ref": "#/properties/it"}),
    "a tree without an end": {"$ref": "#/$defs/n", "$defs": {"n": of_one({"$ref": "#/$defs/n"})}},
    "a tree that doubles": {
        "$ref": "#/$defs/n",
        "$defs": {"n": of_one({"anyOf": [{"$ref": "#/$defs/n"}] * 8})},
    },
    "a keyword that is not known here": of_one({"type": "array", "contains": {"const": 1}}),
    "no schema": {"properties": 5, "required": "it"},
    "a bad expression": of_one({"type": "string", "pattern": "(", "default": "("}),
    "a million items": of_one({"type": "array", "items": {"type": "string"}, "minItems": 10**6}),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_made_is_said_and_not_guessed(case: str) -> None:
    with pytest.raises(CannotMake):
        arguments_for(IMPOSSIBLE[case], words=WORDS)


def test_what_is_given_stays_and_what_is_missing_is_made() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer"}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    }
    assert arguments_for(schema, given={"city": "Cork", "days": 2}) == {"city": "Cork", "days": 2, "unit": "c"}
    assert arguments_for(schema, given={"city": "Cork", "days": "two", "else": 1}) == {"city": "Cork", "unit": "c"}


def schemas() -> st.SearchStrategy[Schema]:
    """Such as tools are described with."""
    small = st.integers(-20, 20)
    leaves = st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")}, optional={"minLength": st.integers(0, 3), "maxLength": st.integers(3, 9)}
        ),
        st.builds(lambda name: {"type": "string", "format": name}, st.sampled_from(FORMATS)),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["integer", "number"])},
            optional={"minimum": small, "maximum": st.integers(20, 40), "multipleOf": st.sampled_from([1, 2, 0.5, 7])},
        ).filter(_has_a_number),
        st.fixed_dictionaries(
            {"type": st.just("number")},
            optional={"exclusiveMinimum": small, "exclusiveMaximum": st.integers(21, 40)},
        ),
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {"const": 3}]),
        st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True)),
        st.builds(lambda text: {"type": "string", "default": text, "pattern": re.escape(text)}, st.text(max_size=3)),
    )
    return st.recursive(leaves, _compound, max_leaves=8)


def _has_a_number(schema: Schema) -> bool:
    """From 15 to 20, say, there is no multiple of 7: such a tool can be called by nobody."""
    step = schema.get("multipleOf", 1)
    return math.ceil(schema.get("minimum", 0) / step) * step <= schema.get("maximum", math.inf)


def _compound(parts: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.one_of(
        objects(parts),
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": parts},
            optional={"minItems": st.integers(0, 2), "maxItems": st.integers(2, 4)},
        ),
        st.builds(lambda some: {"anyOf": some}, st.lists(parts, min_size=1, max_size=3)),
        st.builds(lambda one: {"oneOf": [one]}, parts),
        st.builds(lambda one: {"allOf": [one, {"description": "more"}]}, parts),
    )


def objects(parts: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    return st.builds(
        lambda properties, closed: {
            "type": "object",
            "properties": properties,
            "required": sorted(properties)[1:],
            "additionalProperties": not closed,
        },
        st.dictionaries(st.sampled_from("abcd"), parts, max_size=3),
        st.booleans(),
    )


@given(objects(schemas()), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_whatever_is_asked_for_the_arguments_satisfy_it(schema: Schema, words: str) -> None:
    made = arguments_for(schema, words=words)
    assert valid(made, schema)


@given(objects(schemas()), objects(schemas()), st.text(max_size=10))
@settings(max_examples=200, deadline=None)
def test_what_satisfies_two_schemas_at_once_is_made_or_refused(one: Schema, other: Schema, words: str) -> None:
    both = {"allOf": [one, other]}
    with contextlib.suppress(CannotMake):
        assert valid(arguments_for(both, words=words), both)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda some: (
            st.lists(some)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "properties", "required", "enum", "anyOf", "$ref", "items", "minItems", "minimum", "it"]
                ),
                some,
            )
        ),
        max_leaves=10,
    )
)
@settings(max_examples=200, deadline=None)
def test_what_is_no_schema_at_all_ends_in_arguments_or_in_an_error_of_ours(nonsense: Any) -> None:
    with contextlib.suppress(CannotMake):
        assert isinstance(arguments_for(nonsense), dict)
