"""@tool: a function's hints and docstring become a strict schema, and nothing that breaks it is run."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired

import jsonschema
import pytest
import typing_extensions
from pydantic import BaseModel, ConfigDict, Field

from couchvoice.backend import ToolContext, tool
from couchvoice.backend.tools.arguments import Arguments, ArgumentsRefused
from couchvoice.backend.tools.standard import STANDARD_TOOLS


class Unit(Enum):
    METRE = "m"
    FOOT = "ft"


@dataclass
class Point:
    label: str
    value: float


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str


class Open(BaseModel):
    title: str


class Place(typing_extensions.TypedDict):
    latitude: float
    name: NotRequired[str]


@tool(side_effect="chart", private={"secret"}, modes={"persistent"})
async def draw(
    title: Annotated[str, Field(min_length=1, max_length=80)],
    data: Annotated[list[Point], Field(min_length=1, max_length=50)],
    context: ToolContext,
    kind: Literal["bar", "line"] = "bar",
    limit: Annotated[int, Field(ge=1, le=10, description="at most")] = 5,
    scale: float | None = None,
    schema: Unit = Unit.METRE,
    on: date | None = None,
    model: Closed | None = None,
    places: tuple[Place, ...] = (),
    tags: set[str] = frozenset(),  # type: ignore[assignment]  # so that the default is no shared set
) -> dict[str, Any]:
    """Draw a chart.
    Call it when figures are compared.

    Args:
        title: what it is about,
            note: in a few words
        data (list): the points
        limit: not told, the hint has it

    Returns:
        nothing of interest to the model
    """
    return {"title": title, "owner": context.owner}


@pytest.mark.row("F8")
def test_the_schema_is_made_of_hints_and_docstring():
    assert draw.name == "draw"
    assert draw.description == "Draw a chart. Call it when figures are compared."
    schema = draw.schema
    assert {name: schema[name] for name in ("type", "name", "description")} == {
        "type": "function",
        "name": "draw",
        "description": draw.description,
    }
    parameters = schema["parameters"]
    assert parameters["additionalProperties"] is False
    assert parameters["required"] == ["title", "data"]
    properties = parameters["properties"]
    assert "context" not in properties
    assert properties["title"] == {
        "type": "string",
        "minLength": 1,
        "maxLength": 80,
        "description": "what it is about, note: in a few words",
    }
    assert properties["data"]["description"] == "the points"
    assert properties["kind"] == {"type": "string", "enum": ["bar", "line"], "default": "bar"}
    assert properties["limit"]["default"] == 5
    assert properties["limit"]["description"]
    assert "default" in properties["scale"]
    assert properties["schema"]["default"] == "m"
    assert parameters["$defs"]["Point"]["additionalProperties"] is False
    assert parameters["$defs"]["Place"]["additionalProperties"] is False
    assert '"title": "' not in json.dumps(schema)
    jsonschema.Draft202012Validator.check_schema(parameters)


# The contract's.
WITHOUT_PARAMETERS = (
    "wait_for_user",
    "show_memory_status",
    "show_saved_memory",
    "confirm_memory_deletion",
    "cancel_memory_deletion",
    "lookup_crisis_resources",
)


@pytest.mark.row("F8")
def test_a_tool_without_parameters_takes_none():
    without = [standard for standard in STANDARD_TOOLS if standard.name in WITHOUT_PARAMETERS]
    assert len(without) == len(WITHOUT_PARAMETERS)
    for standard in without:
        assert standard.schema["parameters"] == {"type": "object", "properties": {}, "additionalProperties": False}


def test_a_tool_is_its_function_still():
    @tool
    def double(number: int) -> int:
        """Double it."""
        return 2 * number

    assert double(4) == 8
    assert repr(double) == "<tool double>"
    assert (double.side_effect, double.retry_safe, double.modes) == ("none", True, {"incognito", "persistent"})
    assert (draw.side_effect, draw.retry_safe, draw.private) == ("chart", False, {"secret"})


FITS = {"title": "Rain", "data": [{"label": "May", "value": 3}]}


def check(arguments: dict[str, Any]) -> dict[str, Any]:
    return draw.arguments.check(arguments)


def test_what_fits_becomes_what_the_hints_say():
    checked = check({**FITS, "schema": "ft", "on": "2026-11-29", "model": {"title": "x"}, "tags": ["a", "a"]})
    assert checked["data"] == [Point("May", 3.0)]
    assert (checked["schema"], checked["on"], checked["model"]) == (Unit.FOOT, date(2026, 11, 29), Closed(title="x"))
    assert checked["tags"] == {"a"}
    assert "limit" not in checked  # the function's own default holds


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.row("F8")
@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 7},
        {"title": ""},
        {"title": None},
        {"more": 1},
        {"context": {"owner": "eve"}},
        {"limit": "5"},
        {"limit": True},
        {"limit": 11},
        {"limit": 10**400},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": 10**400},
        {"scale": False},
        {"schema": "mile"},
        {"on": 5},
        {"kind": "pie"},
        {"title": "\ud800"},
        {"title": b"bytes"},
        {"data": nested(150)},
        {"data": nested(100_000)},
        {"data": [{"label": "a", "value": 1, "z": 1}]},
        {"data": [{"label": "a", "value": float("-inf")}]},
        {"places": [{"latitude": 1, "owner": "eve"}]},
        {"model": {"title": "x", "y": 1}},
    ],
    ids=lambda wrong: (
        f"{next(iter(wrong))}={str(next(iter(wrong.values())))[:20]!r}"
        if not isinstance(next(iter(wrong.values())), list)
        else None
    ),
)
def test_what_does_not_fit_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ArgumentsRefused):
        check({**FITS, **wrong})


SETS = 12_000
PARAMETERS = draw.schema["parameters"]
NAMES = [*PARAMETERS["properties"], "label", "value", "latitude", "name", "owner", "context", ""]
FITTING = [{"title": "x"}, [{"label": "a", "value": 1}], [{"latitude": 1.5, "name": "here"}], "m", "line", 7, 1.5, None]
ODD = [True, "5", "", "NaN", "\ud800", "x" * 81, "2026-11-29", 0, -1, 11, 10**400, float("nan"), float("-inf"), [], {}]


def any_value(luck: random.Random, depth: int = 0) -> object:
    match luck.randrange(8):
        case 0 if depth < 3:
            return [any_value(luck, depth + 1) for _ in range(luck.randrange(3))]
        case 1 if depth < 3:
            return {luck.choice(NAMES): any_value(luck, depth + 1) for _ in range(luck.randrange(3))}
        case 2 | 3 | 4:
            return luck.choice(FITTING)
        case _:
            return luck.choice(ODD)


@pytest.mark.row("F8")
def test_ten_thousand_sets_of_arguments_that_break_the_schema_are_all_refused():
    luck, judge = random.Random(2026), jsonschema.Draft202012Validator(PARAMETERS)
    taken = refused = 0
    for _ in range(SETS):
        arguments = {**FITS, **{luck.choice(NAMES): any_value(luck) for _ in range(luck.randrange(1, 4))}}
        arguments.pop(luck.choice(["", "", "", "title", "data"]), None)
        try:
            check(arguments)
        except ArgumentsRefused:
            refused += 1
        else:
            taken += 1
            judge.validate(arguments)
    assert refused > 10_000
    assert taken > 100, "the judge has seen too little"


def define(function: Callable[..., Any], **options: Any) -> None:
    tool(**options)(function) if options else tool(function)


async def no_hint(what) -> None:  # type: ignore[no-untyped-def]  # that is its mistake
    """Do."""


async def many(*what: str) -> None:
    """Do."""


async def misnamed(what: str) -> None:
    """Do.

    Args:
        whta: a slip of the pen
    """


async def opened(what: Open) -> None:
    """Do."""


async def unsayable(what: Callable[[], None]) -> None:
    """Do."""


async def odd_default(what: str = object()) -> None:  # type: ignore[assignment]  # as above
    """Do."""


async def missing_name(what: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821  # as above
    """Do."""


async def silent(what: str) -> None:
    pass


async def plain() -> None:
    """Do."""


@pytest.mark.row("F8")
@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        (no_hint, {}, "the parameter what has no type hint"),
        (many, {}, "give each parameter a name of its own"),
        (misnamed, {}, "describes whta, which is no parameter of it"),
        (opened, {}, 'Open takes fields that it does not name: give it model_config = ConfigDict(extra="forbid")'),
        (unsayable, {}, "the tool unsayable: "),
        (odd_default, {}, "the default of what cannot be said in JSON"),
        (missing_name, {}, "name Nowhere, which cannot be found"),
        (silent, {}, "no docstring"),
        (plain, {"modes": {"secret"}}, "its modes must be"),
        (plain, {"modes": ()}, "its modes must be"),
        (plain, {"deadline": 13.0}, "at most 12 seconds"),
        (plain, {"deadline": -1.0}, "above 0"),
        (plain, {"deadline": 601.0, "background": True}, "at most 600 seconds"),
        (plain, {"output_limit": 10**6}, "output_limit"),
    ],
)
def test_a_mistake_in_a_definition_is_found_when_it_is_loaded(
    function: Callable[..., Any], options: dict[str, Any], said: str
):
    with pytest.raises((TypeError, ValueError)) as caught:
        define(function, **options)
    assert function.__name__ in str(caught.value)
    assert said in str(caught.value)


def test_a_name_that_no_provider_takes_is_refused():
    async def größe() -> None:
        """Do."""

    with pytest.raises(ValueError, match="its name must match"):
        tool(größe)


def test_a_docstring_without_a_section_is_the_description_as_it_stands():
    async def look(what: str) -> None:
        """Look: it sees.

        More of it.
        """

    assert Arguments(look, given=ToolContext).description == "Look: it sees. More of it."
    assert asyncio.run(look("x")) is None
