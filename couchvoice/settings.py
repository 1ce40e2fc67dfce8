"""Settings: what the command line says, else the environment, else the file, else the default.

Law: this is the only reader of ``os.environ`` and of the settings file; secrets are wrapped as they are read.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from couchvoice.companion_settings import CompanionSettings
from couchvoice.endpoint_settings import EndpointSettings, endpoints_from
from couchvoice.errors import ConfigError
from couchvoice.guard_settings import GuardSettings
from couchvoice.private import Private
from couchvoice.session_settings import SessionSettings

DEFAULT_BACKEND_PORT = 8765
DEFAULT_REALTIME_PORT = 8766
REALTIME_BASE_URLS = {
    "local": f"http://127.0.0.1:{DEFAULT_REALTIME_PORT}/v1",
    "openai": "https://api.openai.com/v1",
}
PROVIDERS = ("local", "openai", "azure")
PROVIDER_GROUP = "couchvoice.providers"  # entry points: the providers of other packages

_ENVIRONMENT = {
    "backend_url": "COUCHVOICE_BACKEND_URL",
    "realtime_url": "COUCHVOICE_REALTIME_URL",
    "provider": "COUCHVOICE_PROVIDER",
    "token": "COUCHVOICE_TOKEN",
    "state_dir": "COUCHVOICE_STATE_DIR",
    "modes_dir": "COUCHVOICE_MODES_DIR",
    "database_url": "COUCHVOICE_DATABASE_URL",
    "finalize_after": "COUCHVOICE_FINALIZE_AFTER",
    "log": "COUCHVOICE_LOG",
    "echo": "COUCHVOICE_ECHO",
    "noise_suppression": "COUCHVOICE_NOISE_SUPPRESSION",
    "profile": "COUCHVOICE_PROFILE",
    "realtime_enabled": "COUCHVOICE_REALTIME_ENABLED",
    "api_key_file": "COUCHVOICE_API_KEY_FILE",
    "api_key_command": "COUCHVOICE_API_KEY_COMMAND",
    "openai_api_key": "OPENAI_API_KEY",
    "azure_api_key": "AZURE_OPENAI_API_KEY",
    "azure_endpoint": "AZURE_PROJECT_ENDPOINT",
    "azure_deployment": "AZURE_REALTIME_DEPLOYMENT",
    "engine_key": "COUCHVOICE_ENGINE_KEY",
    "judge_url": "COUCHVOICE_JUDGE_URL",
    "judge_model": "COUCHVOICE_JUDGE_MODEL",
    "judge_key": "COUCHVOICE_JUDGE_KEY",
    "auth": "COUCHVOICE_AUTH",
    "jwt_key": "COUCHVOICE_JWT_KEY",
    "jwks_url": "COUCHVOICE_JWKS_URL",
    "jwt_algorithm": "COUCHVOICE_JWT_ALGORITHM",
    "jwt_audience": "COUCHVOICE_JWT_AUDIENCE",
    "jwt_issuer": "COUCHVOICE_JWT_ISSUER",
    "admin_token": "COUCHVOICE_ADMIN_TOKEN",
    "allow_origin": "COUCHVOICE_ALLOW_ORIGIN",
    "allow_host": "COUCHVOICE_ALLOW_HOST",
    "certificate": "COUCHVOICE_CERTIFICATE",
    "certificate_key": "COUCHVOICE_CERTIFICATE_KEY",
    "session_rate": "COUCHVOICE_SESSION_RATE",
    "tool_rate": "COUCHVOICE_TOOL_RATE",
    "lookup_url": "COUCHVOICE_LOOKUP_URL",
    "crisis_lookup_url": "COUCHVOICE_CRISIS_LOOKUP_URL",
    "lookup_key": "COUCHVOICE_LOOKUP_KEY",
    "audit_url": "COUCHVOICE_AUDIT_URL",
    "audit_model": "COUCHVOICE_AUDIT_MODEL",
    "audit_key": "COUCHVOICE_AUDIT_KEY",
    "summary_url": "COUCHVOICE_SUMMARY_URL",
    "summary_model": "COUCHVOICE_SUMMARY_MODEL",
    "summary_key": "COUCHVOICE_SUMMARY_KEY",
    "summary_min_turns": "COUCHVOICE_SUMMARY_MIN_TURNS",
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
    "adaptive_vad": "COUCHVOICE_ADAPTIVE_VAD",
    "ask_feedback": "COUCHVOICE_ASK_FEEDBACK",
    "idle_timeout_ms": "COUCHVOICE_IDLE_TIMEOUT_MS",
    "noise_reduction": "COUCHVOICE_NOISE_REDUCTION",
    "eagerness": "COUCHVOICE_EAGERNESS",
    "create_response": "COUCHVOICE_CREATE_RESPONSE",
    "interrupt_response": "COUCHVOICE_INTERRUPT_RESPONSE",
    "secret_lifetime": "COUCHVOICE_SECRET_LIFETIME",
}
# What other programs call the same; our own name wins.
_ALIASES = {
    "REALTIME_ENABLED": "realtime_enabled",
    "REALTIME_MODEL": "model",
    "REALTIME_BASE_URL": "realtime_url",
    "REALTIME_TOKEN_EXPIRY_SEC": "secret_lifetime",
}
# Of the environment alone: a settings file is no place for them.
_KEYS = frozenset(
    {
        "openai_api_key",
        "azure_api_key",
        "engine_key",
        "judge_key",
        "jwt_key",
        "admin_token",
        "lookup_key",
        "audit_key",
        "summary_key",
    }
)
_SECRETS = _KEYS | {"token"}
_PATHS = frozenset({"api_key_file", "certificate", "certificate_key", "modes_dir"})
# What is no text.
_TYPES: Mapping[str, type] = {
    "finalize_after": float,
    "summary_min_turns": int,
    "session_rate": int,
    "tool_rate": int,
    "speed": float,
    "vad_threshold": float,
    "vad_sensitivity": int,
    "prefix_padding_ms": int,
    "silence_duration_ms": int,
    "idle_timeout_ms": int,
    "adaptive_vad": bool,
    "ask_feedback": bool,
    "create_response": bool,
    "interrupt_response": bool,
    "noise_suppression": bool,
    "secret_lifetime": int,
    "realtime_enabled": bool,
}
# The defaults of products that couchvoice can stand in for; whatever else is set goes before them.
_PROFILES: Mapping[str, Mapping[str, object]] = {
    "gateway": {"provider": "openai", "model": "gpt-realtime", "voice": "verse"},
    "voiceassist": {"provider": "openai", "model": "gpt-realtime", "voice": "alloy", "secret_lifetime": 300},
    "azure": {"provider": "azure", "azure_deployment": "gpt-realtime"},
}
_WANTED: Mapping[type, str] = {str: "a string", float: "a number", int: "a whole number", bool: "true or false"}
_SWITCH = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting has the same name on the command line, in the environment (``COUCHVOICE_…``) and in the file."""

    backend_url: str | None = None
    realtime_url: str | None = None
    provider: str | None = None
    token: Private | None = None
    state_dir: Path
    modes_dir: Path | None = None
    database_url: str | None = None
    finalize_after: float = 20 * 60  # seconds without a turn; then the backend ends the session by itself
    log: str = "warning"
    echo: str = "auto"  # an EchoPolicy, of the client
    noise_suppression: bool = False  # of the client
    profile: str | None = None
    realtime_enabled: bool = True
    api_key_file: Path | None = None
    api_key_command: str | None = None
    openai_api_key: Private | None = None
    azure_api_key: Private | None = None
    azure_endpoint: str | None = None
    azure_deployment: str | None = None
    endpoints: Mapping[str, EndpointSettings] = dataclasses.field(default_factory=dict)
    judge_url: str | None = None  # a chat model that scripted conversations may ask
    judge_model: str | None = None
    judge_key: Private | None = None
    engine_key: Private | None = None  # of the servers that the local server asks
    session: SessionSettings = dataclasses.field(default_factory=SessionSettings)
    guard: GuardSettings = dataclasses.field(default_factory=GuardSettings)
    companion: CompanionSettings = dataclasses.field(default_factory=CompanionSettings)

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
    values, tables = _from_file(file or _named_file(environ))
    for variable, name in (*_ALIASES.items(), *((variable, name) for name, variable in _ENVIRONMENT.items())):
        if text := environ.get(variable):
            values[name] = _typed(name, text, source=variable)
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = _typed(name, str(value) if isinstance(value, Path) else value, source=f"the option {name}")
    values = {**_profile(values.get("profile")), **values}
    provider = values.get("provider")
    named = None if provider is None else str(provider)
    endpoints = endpoints_from(tables, environ, named=named)
    for known in filter(None, (named, *(endpoint.provider for endpoint in endpoints.values()))):
        _check_provider(known, endpoints)
    for name in _PATHS & values.keys():
        values[name] = _expanded(Path(str(values[name])))
    if "realtime_url" in values:
        values["realtime_url"] = _base_of(str(values["realtime_url"]))
    for name in _SECRETS & values.keys():
        values[name] = Private(str(values[name]))
    values["state_dir"] = _expanded(Path(str(values.get("state_dir") or _default_state_dir())))
    session = SessionSettings(**_taken(SessionSettings, values))  # type: ignore[arg-type]  # _typed has checked them
    guard = GuardSettings(**_taken(GuardSettings, values))  # type: ignore[arg-type]  # as above
    companion = CompanionSettings(**_taken(CompanionSettings, values))  # type: ignore[arg-type]  # as above
    groups = {"session": session, "guard": guard, "companion": companion}
    return Settings(**values, endpoints=endpoints, **groups)  # type: ignore[arg-type]  # as above


def with_changes(settings: Settings, values: Mapping[str, object]) -> Settings:
    """With other values for the session, or ``finalize_after``. Raises ConfigError for another name or type."""
    known = {field.name for field in dataclasses.fields(SessionSettings)}
    if unknown := sorted(values.keys() - known - {"finalize_after"}):
        raise ConfigError(f"unknown setting {unknown[0]!r}: known are {', '.join(sorted((*known, 'finalize_after')))}")
    typed = {name: _typed(name, value, source=name) for name, value in values.items()}
    finalize_after = typed.pop("finalize_after", settings.finalize_after)
    session = dataclasses.replace(settings.session, **typed)  # type: ignore[arg-type]  # _typed has checked them
    return dataclasses.replace(settings, session=session, finalize_after=finalize_after)  # type: ignore[arg-type]


def _taken(group: type, values: dict[str, object]) -> dict[str, object]:
    """Those of this group, and no longer among the others."""
    return {field.name: values.pop(field.name) for field in dataclasses.fields(group) if field.name in values}


def _profile(name: object) -> Mapping[str, object]:
    if name is None:
        return {}
    if name not in _PROFILES:
        raise ConfigError(f'unknown profile "{name}": choose one of {", ".join(_PROFILES)}')
    return _PROFILES[str(name)]


def _check_provider(name: str, endpoints: Mapping[str, EndpointSettings]) -> None:
    if name in PROVIDERS or (name in endpoints and endpoints[name].provider != name):
        return
    from importlib.metadata import entry_points

    installed = entry_points(group=PROVIDER_GROUP).names
    if name not in installed:
        known = ", ".join(dict.fromkeys((*PROVIDERS, *sorted(installed), *sorted(endpoints.keys() - {name}))))
        raise ConfigError(f'unknown provider "{name}": choose one of {known}')


def _base_of(url: str) -> str:
    """Some write the address of the WebSocket: ``wss://api.openai.com/v1/realtime``."""
    if url.startswith(("ws://", "wss://")):
        return f"http{url.removeprefix('ws')}".rstrip("/").removesuffix("/realtime")
    return url


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


def _from_file(named: Path | None) -> tuple[dict[str, object], object]:
    """The settings and the tables of endpoints. Only the default file may be absent: who names one means it."""
    path = named or _default_file()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        if named is None:
            return {}, {}
        raise ConfigError(f"there is no settings file {path}: create it, or unset COUCHVOICE_CONFIG") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"cannot read the settings file {path}: {exc}") from exc
    tables = table.pop("endpoints", {})
    known = _ENVIRONMENT.keys() - _KEYS
    if unknown := sorted(table.keys() - known):
        raise ConfigError(f"unknown setting {unknown[0]!r} in {path}: known are {', '.join(sorted(known))}")
    return {name: _typed(name, value, source=f"setting {name!r} in {path}") for name, value in table.items()}, tables


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise ConfigError(f"the path {path} names a user whom this machine does not know") from exc


def _named_file(environ: Mapping[str, str]) -> Path | None:
    name = environ.get("COUCHVOICE_CONFIG")
    return Path(name) if name else None


def _default_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path("couchvoice") / "config.toml"


def _default_state_dir() -> Path:
    import platformdirs

    return platformdirs.user_state_path("couchvoice")
