"""The tool registry: which tools there are, and which of them a memory mode has.

Not the running of them: that is ``runner``'s. Law: a mode sees and gets its own tools only, whatever a request says,
and a tool that the catalogue names has the modes that stand there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Any

from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools.catalogue import CATALOGUE
from couchvoice.backend.tools.definition import Tool
from couchvoice.contract import MemoryMode
from couchvoice.errors import ConfigError


class ToolRegistry:
    """``tools`` as the model sees them, in this order. Raises ConfigError for two of one name, or of wrong modes."""

    # Any: each tool takes its own arguments, and one collection holds them all.
    def __init__(self, tools: Iterable[Tool[..., Any]]) -> None:
        self._tools: dict[str, Tool[..., Any]] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ConfigError(f"there are two tools {tool.name}: rename one of them")
            entry = CATALOGUE.get(tool.name)
            if entry is not None and tool.modes != entry.modes:
                raise ConfigError(f"the tool {tool.name} belongs to {' and '.join(sorted(entry.modes))} talks only")
            self._tools[tool.name] = tool

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._tools)

    def plus(self, tool: Tool[..., Any]) -> ToolRegistry:
        return ToolRegistry([*self._tools.values(), tool])

    def only(self, names: Collection[str]) -> ToolRegistry:
        """Those of these names, in the order that they have here."""
        return ToolRegistry(tool for tool in self._tools.values() if tool.name in names)

    def schemas(self, mode: MemoryMode) -> list[dict[str, Any]]:
        """What the session config lists for this mode."""
        return [tool.schema for tool in self._tools.values() if mode in tool.modes]

    def find(self, name: str, mode: MemoryMode) -> Tool[..., Any]:
        """Refused with 403 for a tool of the other mode, whether or not it is here, and with 404 for an unknown one."""
        tool = self._tools.get(name)
        known = tool or CATALOGUE.get(name)
        if known is not None and mode not in known.modes:
            raise Refused(HTTPStatus.FORBIDDEN, "tool_not_allowed", f"{name} is not available in {mode} mode")
        if tool is None:
            raise Refused(HTTPStatus.NOT_FOUND, "unknown_tool", "there is no such tool")
        return tool
