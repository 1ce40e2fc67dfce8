"""Settings: what the command line says, else the environment, else the file, else the default.

Law: this is the only reader of ``os.environ`` and of the settings file; secrets are wrapped as they are read.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from couchvoice.errors import ConfigError
from couchvoice.private import Private

DEFAULT_BACKEND_PORT = 8765
DEFAULT_REALTIME_PORT = 8766
REALTIME_BASE_URLS = {
    "local": f"http://127.0.0.1:{DEFAULT_REALTIME_PORT}/v1",
    "openai": "https://api.openai.com/v1",
}
PROVIDERS = tuple(REALTIME_BASE_URLS)

_ENVIRONMENT = {
    "backend_url": "COUCHVOICE_BACKEND_URL",
    "realtime_url": "COUCHVOICE_REALTIME_URL",
    "provider": "COUCHVOICE_PROVIDER",
    "token": "COUCHVOICE_TOKEN",
    "state_dir": "COUCHVOICE_STATE_DIR",
    "database_url": "COUCHVOICE_DATABASE_URL",
    "log": "COUCHVOICE_LOG",
    "openai_api_key": "OPENAI_API_KEY",
}
_SECRETS = frozenset({"token", "openai_api_key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting has the same name on the command line, in the environment (``COUCHVOICE_…``) and in the file."""

    backend_url: str | None = None
    realtime_url: str | None = None
    provider: str | None = None
    token: Private | None = None
    state_dir: Path
    database_url: str | None = None
    log: str = "warning"
    openai_api_key: Private | None = None

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the backend's database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.state_dir / 'backend.db'}"


def load_settings(
    options: Mapping[str, str | Path | None] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Read the settings. Raises ConfigError for an unreadable file, an unknown name or an impossible value."""
    environ = os.environ if environ is None else environ
    values: dict[str, object] = dict(_from_file(file or _named_file(environ)))
    values |= {name: environ[variable] for name, variable in _ENVIRONMENT.items() if environ.get(variable)}
    values |= {name: value for name, value in (options or {}).items() if value is not None}
    provider = values.get("provider")
    if provider is not None and provider not in PROVIDERS:
        raise ConfigError(f'unknown provider "{provider}": choose one of {", ".join(PROVIDERS)}')
    for name in _SECRETS & values.keys():
        values[name] = Private(str(values[name]))
    values["state_dir"] = _expanded(Path(str(values.get("state_dir") or _default_state_dir())))
    return Settings(**values)  # type: ignore[arg-type]  # the names are checked in _from_file, the types by use


def _from_file(named: Path | None) -> dict[str, str]:
    """Only the default file may be absent: who names one means it."""
    path = named or _default_file()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        if named is None:
            return {}
        raise ConfigError(f"there is no settings file {path}: create it, or unset COUCHVOICE_CONFIG") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"cannot read the settings file {path}: {exc}") from exc
    known = {field.name for field in fields(Settings)} - {"openai_api_key"}
    if unknown := sorted(table.keys() - known):
        raise ConfigError(f"unknown setting {unknown[0]!r} in {path}: known are {', '.join(sorted(known))}")
    for name, value in table.items():
        if not isinstance(value, str):
            raise ConfigError(f"setting {name!r} in {path} must be a string, not {type(value).__name__}")
    return table


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise ConfigError(f"the state directory {path} names a user whom this machine does not know") from exc


def _named_file(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("COUCHVOICE_CONFIG")
    return Path(name) if name else None


def _default_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path("couchvoice") / "config.toml"


def _default_state_dir() -> Path:
    import platformdirs

    return platformdirs.user_state_path("couchvoice")
