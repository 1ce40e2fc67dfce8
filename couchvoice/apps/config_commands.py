"""The command ``couchvoice config show``: what the settings come to, wherever they were set.

Law: a key is shown as its length; so is a password in an address, and what follows the program in a key's command.
"""

from __future__ import annotations

import dataclasses
import json as json_module
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from couchvoice.apps.command import settings_from
from couchvoice.private import Private
from couchvoice.settings import Settings

config_app = typer.Typer(help="The settings.", no_args_is_help=True)

# RFC 3986 §3.2.1: what stands before the host; and what a query may hold.
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):.*@", re.DOTALL)
_QUERY = re.compile(r"\?.*", re.DOTALL)


@config_app.command("show")
def show(json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Print every setting as it is used; keys are not shown."""
    shown = shown_settings(settings_from())
    if json:
        typer.echo(json_module.dumps(shown, indent=2))
        return
    from couchvoice.apps.screen import clean

    for name, value in shown.items():
        typer.echo(f"{name} = {'(not set)' if value is None else clean(str(value))}")


def shown_settings(settings: Settings) -> dict[str, object]:
    """By name, flat: ``endpoints.eu.base_url`` for what stands in a table."""
    return dict(sorted(_flat("", _fields(settings)).items()))


def _fields(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _fields(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _flat(name: str, value: object) -> dict[str, object]:
    match _fields(value):
        case Mapping() as table:
            # These tables are ours: in the file their fields stand by themselves.
            parts = {key: f"{name}.{key}" if name else key for key in table}
            inline = ("companion", "guard", "session", "options")
            return {
                path: text
                for key, inner in table.items()
                for path, text in _flat(name if key in inline else parts[key], inner).items()
            }
        case inner:
            return {name: _shown(name, inner)}


def _shown(name: str, value: object) -> object:
    match value:
        case Private():
            return str(value)
        case Path():
            return str(value)
        case tuple() | list() if not name.endswith("api_key_command"):
            return ", ".join(map(str, value)) or None
        case str() | tuple() if name.endswith("api_key_command"):
            words = value.split() if isinstance(value, str) else list(value)
            return f"{words[0]} …({len(words) - 1} more words)" if words else None
        case str():
            return _QUERY.sub("?…", _PASSWORD.sub(r"\1:…@", value))
        case None | bool() | int() | float():
            return value
        case _:
            return repr(value)
