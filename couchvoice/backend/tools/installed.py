"""Tools that other installed packages bring, found by their entry points.

    [project.entry-points."couchvoice.tools"]
    charts = "my_package.charts"              # a module: the tools that are made in it
    lights = "my_package.home:switch_light"   # or one tool

Law: a package that cannot be loaded stops the start, by name: a tool that is silently missing is found by a user.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from couchvoice.backend.tools.definition import Tool
from couchvoice.errors import ConfigError

GROUP = "couchvoice.tools"


def installed_tools() -> list[Tool[..., Any]]:
    """In the order of their entry points' names. Raises ConfigError."""
    points = sorted(entry_points(group=GROUP), key=_name)
    return list(dict.fromkeys(tool for point in points for tool in _load(point)))  # modules import from each other


def _load(point: EntryPoint) -> list[Tool[..., Any]]:
    try:
        found = point.load()
    except Exception as exc:  # somebody else's module: it may raise whatever it likes
        raise ConfigError(f"the tools {_told(point)} cannot be loaded: {exc}: mend or uninstall the package") from exc
    tools = list(_tools_in(found))
    if not tools:
        raise ConfigError(
            f"the tools {_told(point)} hold no tool: name a function with @tool, or a module that has one"
        )
    return tools


def _tools_in(found: object) -> Iterator[Tool[..., Any]]:
    if isinstance(found, Tool):
        yield found
    elif isinstance(found, ModuleType):
        tools = (value for value in vars(found).values() if isinstance(value, Tool))
        yield from (tool for tool in tools if tool.function.__module__ == found.__name__)


def _told(point: EntryPoint) -> str:
    package = f" of {point.dist.name}" if point.dist else ""
    return f"{point.name}{package} ({point.value})"


def _name(point: EntryPoint) -> str:
    return point.name
