"""The arguments of a tool: what its function's signature says, as a JSON schema for the model and as a check.

Law: both are made from the same type hints, so what the schema forbids never reaches the function: unknown names,
wrong types (``"1"`` is no number, ``true`` is none either), NaN and infinity, numbers and nesting beyond all measure.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typing_extensions  # pydantic's own: before Python 3.12 it takes no other TypedDict
from pydantic import ConfigDict, Field, PydanticUserError, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_ARGS = re.compile(r"^(?:Args|Arguments|Parameters):\s*$", re.MULTILINE)
_SECTION = re.compile(r"^(?:Args|Arguments|Parameters|Returns|Yields|Raises|Examples?):\s*$", re.MULTILINE)
_ENTRY = re.compile(r"(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


class ArgumentsRefused(ValueError):
    """They do not fit the schema. ``names``: which of its parameters; what a caller has made up is not among them."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        super().__init__(*names)
        self.names = tuple(names)


class Arguments:
    """Of ``function``, without the parameter whose type is ``given``: the caller passes that one.

    Raises TypeError for a signature of which no strict schema can be made.
    """

    def __init__(self, function: Callable[..., Any], *, given: type) -> None:
        self._name = function.__name__
        text, described = read_docstring(inspect.getdoc(function) or "")
        self.description = text
        self.given_as: str | None = None
        fields: dict[str, Any] = {}
        for parameter in _signature(function).parameters.values():
            if parameter.annotation is given:
                self.given_as = parameter.name
            else:
                fields[parameter.name] = self._field(parameter, described.pop(parameter.name, None))
        if described:
            self._refuse(f"its docstring describes {', '.join(described)}, which is no parameter of it")
        self._adapter = self._checked_adapter(fields)
        self.schema = self._schema()

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments for the function. Raises ArgumentsRefused."""
        try:
            # As JSON: there a date is a text and an enumeration one of its values.
            text = json.dumps(arguments, allow_nan=False)
            return self._adapter.validate_json(text, strict=True)
        except ValidationError as exc:
            wrong = {error["loc"][0] for error in exc.errors(include_url=False, include_input=False) if error["loc"]}
            raise ArgumentsRefused([name for name in self.schema["properties"] if name in wrong]) from None
        except (ValueError, RecursionError, TypeError):
            raise ArgumentsRefused from None

    def _field(self, parameter: inspect.Parameter, described: str | None) -> Any:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            self._refuse(f"{parameter} cannot be named in JSON: give each parameter a name of its own")
        if parameter.annotation is parameter.empty:
            self._refuse(f"the parameter {parameter.name} has no type hint")
        hint = parameter.annotation
        if described:
            hint = Annotated[hint, Field(description=described)]
        if parameter.default is parameter.empty:
            return hint
        try:
            default = to_jsonable_python(parameter.default)
        except ValueError:
            self._refuse(f"the default of {parameter.name} cannot be said in JSON")
        return typing_extensions.NotRequired[Annotated[hint, Field(json_schema_extra={"default": default})]]

    def _checked_adapter(self, fields: dict[str, Any]) -> TypeAdapter[dict[str, Any]]:
        # A TypedDict, not a model: a parameter may be called "schema" or "copy". To mypy it is a special form.
        typed_dict: Any = typing_extensions.TypedDict
        shape = typed_dict(self._name, fields)
        shape.__pydantic_config__ = _STRICT
        try:
            return TypeAdapter(shape)
        except PydanticUserError as exc:
            self._refuse(exc.message)

    def _schema(self) -> dict[str, Any]:
        try:
            schema = self._adapter.json_schema(schema_generator=_Closed)
        except (PydanticUserError, _Open) as exc:
            self._refuse(str(exc))
        for definition in (schema, *schema.get("$defs", {}).values()):
            definition.pop("title", None)
        schema.pop("description", None)
        schema.setdefault("properties", {})
        schema["additionalProperties"] = False
        return schema

    def _refuse(self, why: str) -> NoReturn:
        raise TypeError(f"the tool {self._name}: {why}")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """What it says before its section "Args:", as one paragraph, and what that says of each parameter.

    Google's form: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods.
    """
    first = _SECTION.search(text)
    begin = _ARGS.search(text)
    section = text[begin.end() :] if begin else ""
    end = _SECTION.search(section)
    described: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(section[: end.start() if end else None]).splitlines():
        if entry := _ENTRY.fullmatch(line):  # what is said on lines after it is indented
            name, described[entry[1]] = entry[1], entry[2].strip()
        elif name:
            described[name] = f"{described[name]} {line.strip()}".strip()
    return " ".join(text[: first.start() if first else None].split()), described


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except NameError as exc:
        raise TypeError(
            f"the tool {function.__name__}: its type hints name {exc.name}, which cannot be found: "
            "import it at the top of the file, outside of TYPE_CHECKING"
        ) from exc


class _Open(Exception):
    """A type inside takes fields that nobody named."""


class _Closed(GenerateJsonSchema):
    """Without pydantic's titles, which are for Python's readers, and without objects that take unknown fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _closed(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _closed(super().dataclass_schema(schema), schema["cls"])

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        # What comes twice is taken once: the schema promises no more than the check keeps.
        return {name: value for name, value in super().set_schema(schema).items() if name != "uniqueItems"}


def _closed(schema: JsonSchemaValue, kind: type) -> JsonSchemaValue:
    if "properties" in schema and schema.get("additionalProperties") is not False:
        raise _Open(
            f'{kind.__name__} takes fields that it does not name: give it model_config = ConfigDict(extra="forbid"), '
            "or make it a dataclass"
        )
    return schema
