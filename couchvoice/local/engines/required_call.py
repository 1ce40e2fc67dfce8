"""The call that a response owes when ``tool_choice`` requires one and whoever replies has made none.

Law: a call is made of a tool on offer, with arguments that satisfy its schema, or the response fails (EngineFailed).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couchvoice.local.engines.call_arguments import CannotMake, arguments_for
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.protocol.reply import Call, Question

_ENGINE = "tool_choice"


def required_call(question: Question) -> Call:
    """Of the tool that is named, else of the first on offer. Raises EngineFailed."""
    wanted = question.must_call
    name = wanted or next(map(_name, question.tools), None)
    if name is None or tool_named(question, name) is None:
        raise EngineFailed(_ENGINE, "the tool that must be called is not on offer" if wanted else "no tool is on offer")
    return completed(Call(name, {}), question)


def completed(call: Call, question: Question) -> Call:
    """The call with arguments that satisfy its tool's schema. Raises EngineFailed."""
    tool = tool_named(question, call.name) or {}
    try:
        return Call(call.name, arguments_for(_schema(tool), given=call.arguments, words=question.heard))
    except CannotMake as exc:
        raise EngineFailed(_ENGINE, "no arguments were found that satisfy the schema of the tool") from exc


def lacks_arguments(call: Call, question: Question) -> bool:
    """Whether a property is missing that the tool's schema requires."""
    schema = _schema(tool_named(question, call.name) or {})
    required = schema.get("required") if isinstance(schema, Mapping) else None
    return isinstance(required, list) and not all(name in call.arguments for name in required)


def tool_named(question: Question, name: str) -> Mapping[str, Any] | None:
    return next((tool for tool in question.tools if _name(tool) == name), None)


def _name(tool: Mapping[str, Any]) -> str:
    return str(tool.get("name"))


def _schema(tool: Mapping[str, Any]) -> Any:
    """OpenAI: a function without parameters has an empty list of them."""
    parameters = tool.get("parameters")
    return {} if parameters is None else parameters
