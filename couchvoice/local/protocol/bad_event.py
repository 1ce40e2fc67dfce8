"""What a client sent and cannot be served, in the words of OpenAI's errors.

Law: whoever checks, checks before anything has changed; the error names the code and the parameter.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

MAX_MESSAGE = 300  # characters: a client's own megabyte is not sent back to it
MAX_DEPTH = 64  # levels of JSON; copying a tree takes Python frames for each

_COMPLAINT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<place>[^`]*)`)?", re.DOTALL)
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(?P<name>[^`]*)`")


class BadEvent(Exception):
    """Becomes an ``error`` event, or a 400: the session lives."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(code, message, param)
        self.code = code
        self.message = message[:MAX_MESSAGE]
        self.param = param[:MAX_MESSAGE] if param is not None else None


def read_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object that any other JSON reader will take back. Raises BadEvent.

    So no NaN, no infinity, no lone surrogate, no 5,000 digits, no 100,000 levels.
    """
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError) as exc:
        raise BadEvent("invalid_json", "We could not parse this as JSON.") from exc
    if not isinstance(value, dict):
        raise BadEvent("invalid_type", "A JSON object is expected.")
    if _is_too_deep(value):
        raise BadEvent("invalid_json", f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    return value


def checked(value: object, shape: Any, *, param: str = "") -> Any:
    """The value as a ``shape`` (a msgspec type), which stands at ``param`` in the event. Raises BadEvent."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as exc:
        raise _in_the_words_of_openai(str(exc), param) from exc


def _in_the_words_of_openai(complaint: str, param: str) -> BadEvent:
    found = _COMPLAINT.fullmatch(complaint)
    assert found is not None  # every text matches
    what, place = found["what"], found["place"]
    path = [part for part in (param, place) if part]
    if field := _FIELD.match(what):
        name = ".".join([*path, field["name"]])
        if field[1] == "missing required":
            return BadEvent("missing_required_parameter", f"Missing required parameter: '{name}'.", name)
        return BadEvent("unknown_parameter", f"Unknown parameter: '{name}'.", name)
    code = "invalid_type" if ", got `" in what else "invalid_value"
    name = ".".join(path).replace(".[", "[")
    return BadEvent(code, f"Invalid '{name}': {what}.", name or None)


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[Any]:
    match node:
        case dict():
            return list(node.values())
        case list():
            return node
        case _:
            return []
