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
    "engine_key": "COUCHVOICE_ENGINE_KEY",
    "model": "COUCHVOICE_MODEL",
    "voice": "COUCHVOICE_VOICE",
    "speed": "COUCHVOICE_SPEED",
    "language": "COUCHVOICE_LANGUAGE",
    "transcription_model": "COUCHVOICE_TRANSCRIPTION_MODEL",
    "turn_detection": "COUCHVOICE_TURN_DETECTION",
    "vad_threshold": "COUCHVOICE_VAD_THRESHOLD",
    "vad_sensitivity": "COUCHVOICE_VAD_SENSITIVITY",
    "prefix_padding_ms": "COUCHVOICE_PREFIX_PADDING_MS",
    "silence_duration_ms": "COUCHVOICE_SILENCE_DURATION_MS",
    "idle_timeout_ms": "COUCHVOICE_IDLE_TIMEOUT_MS",
    "eagerness": "COUCHVOICE_EAGERNESS",
    "create_response": "COUCHVOICE_CREATE_RESPONSE",
    "interrupt_response": "COUCHVOICE_INTERRUPT_RESPONSE",
}
_KEYS = frozenset({"openai_api_key", "engine_key"})  # of the environment alone: a settings file is no place for them
_SECRETS = _KEYS | {"token"}
# What is no text.
_TYPES: Mapping[str, type] = {
    "speed": float,
    "vad_threshold": float,
    "vad_sensitivity": int,
    "prefix_padding_ms": int,
    "silence_duration_ms": int,
    "idle_timeout_ms": int,
    "create_response": bool,
    "interrupt_response": bool,
}
_WANTED: Mapping[type, str] = {str: "a string", float: "a number", int: "a whole number", bool: "true or false"}
_SWITCH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What the backend asks of the provider, unless a request says otherwise. The backend checks it.

    ``transcription_model`` may be "none", ``language`` "auto". ``turn_detection`` is server_vad (with the threshold
    or the sensitivity, the padding, the silence, the idle timeout), semantic_vad (with the eagerness), or none: then
    the client commits what was said, as with push-to-talk.
    """

    model: str = "gpt-realtime-2.1"
    voice: str = "marin"
    speed: float | None = None
    language: str = "auto"
    transcription_model: str = "gpt-transcribe"
    turn_detection: str = "server_vad"
    vad_threshold: float | None = None
    vad_sensitivity: int | None = None
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None
    eagerness: str = "auto"
    create_response: bool = True
    interrupt_response: bool = True


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
    engine_key: Private | None = None  # of the servers that the local server asks
    session: SessionSettings = SessionSettings()

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the backend's database."""
        return self.database_url or f"sqlite+aiosqlite:///{self.state_dir / 'backend.db'}"


def load_settings(
    options: Mapping[str, str | Path | float | bool | None] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Read the settings. Raises ConfigError for an unreadable file, an unknown name or an impossible value."""
    environ = os.environ if environ is None else environ
    values = _from_file(file or _named_file(environ))
    for name, variable in _ENVIRONMENT.items():
        if text := environ.get(variable):
            values[name] = _typed(name, text, source=variable)
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = _typed(name, str(value) if isinstance(value, Path) else value, source=f"the option {name}")
    provider = values.get("provider")
    if provider is not None and provider not in PROVIDERS:
        raise ConfigError(f'unknown provider "{provider}": choose one of {", ".join(PROVIDERS)}')
    for name in _SECRETS & values.keys():
        values[name] = Private(str(values[name]))
    values["state_dir"] = _expanded(Path(str(values.get("state_dir") or _default_state_dir())))
    of_session = {field.name: values.pop(field.name) for field in fields(SessionSettings) if field.name in values}
    session = SessionSettings(**of_session)  # type: ignore[arg-type]  # _typed has checked them
    return Settings(**values, session=session)  # type: ignore[arg-type]  # as above


def _typed(name: str, value: object, *, source: str) -> object:
    """The value as the type of this setting; the environment knows only text."""
    kind = _TYPES.get(name, str)
    try:
        if isinstance(value, str):
            return _SWITCH[value.lower()] if kind is bool else kind(value)
        if type(value) is int and kind is float:
            return float(value)
    except (ValueError, KeyError, OverflowError):
        pass  # it is named below
    else:
        if type(value) is kind:  # exactly: to Python, true is a whole number
            return value
    shown = f'"{value}"' if isinstance(value, str) else type(value).__name__
    raise ConfigError(f"{source} must be {_WANTED[kind]}, not {shown}")


def _from_file(named: Path | None) -> dict[str, object]:
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
    known = _ENVIRONMENT.keys() - _KEYS
    if unknown := sorted(table.keys() - known):
        raise ConfigError(f"unknown setting {unknown[0]!r} in {path}: known are {', '.join(sorted(known))}")
    return {name: _typed(name, value, source=f"setting {name!r} in {path}") for name, value in table.items()}


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
