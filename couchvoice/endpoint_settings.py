"""The endpoints of the settings: providers by name, each with what its own schema wants and where its key is.

    [endpoints.eu]                     the name by which a caller of the gateway may choose it
    provider = "azure"                 who it is; without it, the endpoint's name
    base_url = "https://…"             whatever else this provider takes: it is checked when the provider is made
    api_key_command = "vault kv get …"

Law: a key never stands in the file; ``COUCHVOICE_ENDPOINT_EU_API_KEY`` brings it, as ``…_EU_BASE_URL`` would the URL.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couchvoice.errors import ConfigError
from couchvoice.private import Private

PREFIX = "COUCHVOICE_ENDPOINT_"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_OF_THE_KEY = ("api_key", "api_key_file", "api_key_command")
_SCALARS = (str, int, float, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    """``options``: what the provider's own schema checks. ``api_key_command``: a program and its arguments."""

    provider: str
    api_key: Private | None = None
    api_key_file: Path | None = None
    api_key_command: tuple[str, ...] = ()
    options: Mapping[str, str | int | float | bool]


def endpoints_from(tables: object, environ: Mapping[str, str], *, named: str | None) -> dict[str, EndpointSettings]:
    """``tables`` as the file has them. ``named``: the endpoint that is chosen, which the file need not know.

    Raises ConfigError.
    """
    if not isinstance(tables, dict):
        raise ConfigError("endpoints must be tables, such as [endpoints.eu]")
    found: dict[str, EndpointSettings] = {}
    for name in {*tables, *((named,) if named and _NAME.fullmatch(named) else ())}:
        if not _NAME.fullmatch(name):
            raise ConfigError(f'"{name}" is no name of an endpoint: use lower-case letters, digits and hyphens')
        table = tables.get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"endpoints.{name} must be a table: [endpoints.{name}]")
        if "api_key" in table:
            raise ConfigError(
                f"a key has no place in a file of settings: set {variable(name, 'api_key')}, or give endpoints.{name} "
                "an api_key_file or an api_key_command"
            )
        fields = table | _from_environment(name, environ)
        if fields or name in tables:
            found[name] = _endpoint(name, fields)
    return found


def variable(endpoint: str, field: str) -> str:
    return f"{PREFIX}{endpoint}_{field}".upper().replace("-", "_")


def command_words(text: str, *, source: str) -> tuple[str, ...]:
    """As a shell would split it. Raises ConfigError."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as exc:
        raise ConfigError(f"{source} cannot be split into words: {exc}") from exc
    if not words:
        raise ConfigError(f"{source} is empty: name a program that prints the key")
    return words


def _from_environment(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    prefix = variable(name, "")
    return {
        known.removeprefix(prefix).lower(): text
        for known, text in environ.items()
        if known.startswith(prefix) and text and known != prefix
    }


def _endpoint(name: str, fields: Mapping[str, Any]) -> EndpointSettings:
    where = f"endpoints.{name}"
    for field, value in fields.items():
        wanted = (str, list) if field == "api_key_command" else _SCALARS
        if not isinstance(value, wanted):
            raise ConfigError(f"{where}.{field} must be a text or a number, not {type(value).__name__}")
    if len([field for field in _OF_THE_KEY if field in fields]) > 1:
        raise ConfigError(f"{where} has more than one of {', '.join(_OF_THE_KEY)}: leave one")
    command = fields.get("api_key_command", ())
    if isinstance(command, str):
        command = command_words(command, source=f"{where}.api_key_command")
    file = fields.get("api_key_file")
    return EndpointSettings(
        provider=str(fields.get("provider", name)),
        api_key=Private(str(fields["api_key"])) if "api_key" in fields else None,
        api_key_file=Path(str(file)).expanduser() if file else None,
        api_key_command=tuple(map(str, command)),
        options={field: value for field, value in fields.items() if field not in ("provider", *_OF_THE_KEY)},
    )
