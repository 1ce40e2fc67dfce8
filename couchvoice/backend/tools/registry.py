"""The tool registry: which tools there are, who may call them, and whether a call fits its schema.

Not the tools. Law: only a registered tool of the session's mode runs, only with arguments that fit, and in incognito
it is handed no store, so it cannot touch one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from couchvoice.backend.refusals import Refused
from couchvoice.backend.store import Store
from couchvoice.contract import MemoryMode

TOOL_TIMEOUT = 12.0  # seconds, below the client's 15
BOTH_MODES: frozenset[MemoryMode] = frozenset({"incognito", "persistent"})


class ToolArguments(BaseModel):
    """A tool's parameters. By itself: none."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToolContext:
    """What a tool may know besides its arguments. ``said``: the user's words, newest first."""

    thread_id: str
    owner: str
    said: Sequence[str]
    store: Store | None  # None in incognito


Arguments = TypeVar("Arguments", bound=ToolArguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[Arguments]):
    name: str
    description: str
    arguments: type[Arguments]
    modes: frozenset[MemoryMode] = BOTH_MODES
    side_effect: Literal["none", "memory"]
    retry_safe: bool
    run: Callable[[Arguments, ToolContext], Awaitable[dict[str, Any]]]


class ToolRegistry:
    # Any: each tool takes its own arguments, and one collection holds them all.
    def __init__(self, tools: Iterable[Tool[Any]]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    def schemas(self, mode: MemoryMode) -> list[dict[str, Any]]:
        """What the session config lists for this mode."""
        return [_schema(tool) for tool in self._tools.values() if mode in tool.modes]

    async def run(
        self, name: str, arguments: dict[str, Any], *, mode: MemoryMode, context: ToolContext
    ) -> dict[str, Any]:
        """Refused with 404, 403 or 422 before anything runs; whatever the tool raises comes through."""
        tool = self._tools.get(name)
        if tool is None:
            raise Refused(HTTPStatus.NOT_FOUND, "unknown_tool", "there is no such tool")
        if mode not in tool.modes:
            raise Refused(HTTPStatus.FORBIDDEN, "tool_not_allowed", f"{tool.name} is not available in {mode} mode")
        try:
            checked = tool.arguments.model_validate(arguments)
        except ValidationError as exc:
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid_arguments",
                f"{exc.error_count()} of the arguments of {tool.name} do not fit its schema",
            ) from exc
        async with asyncio.timeout(TOOL_TIMEOUT):
            result = await tool.run(checked, context)
        return {**result, "side_effect": tool.side_effect, "retry_safe": tool.retry_safe}


def _schema(tool: Tool[Any]) -> dict[str, Any]:
    schema = tool.arguments.model_json_schema()
    # pydantic's titles and docstrings are for Python's readers, not for the model.
    for unsaid in ("title", "description"):
        schema.pop(unsaid, None)
    for parameter in schema["properties"].values():
        parameter.pop("title", None)
    return {"type": "function", "name": tool.name, "description": tool.description, "parameters": schema}
