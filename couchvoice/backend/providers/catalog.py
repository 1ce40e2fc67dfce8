"""Which providers there are, and the ones that the settings name.

Law: what is not in the settings is not reachable, whoever asks; a package can add a provider, not replace one of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any, cast

import httpx
from pydantic import ValidationError

from couchvoice.backend.providers.azure import AzureProvider
from couchvoice.backend.providers.credential import Credential, KeyCommand, KeyFile, KeyValue
from couchvoice.backend.providers.kind import ProviderKind, ProviderSetup
from couchvoice.backend.providers.openai import OpenAIProvider
from couchvoice.backend.providers.provider import Provider
from couchvoice.backend.providers.upstream import Upstream
from couchvoice.endpoint_settings import EndpointSettings, command_words
from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.private import Private
from couchvoice.settings import PROVIDER_GROUP, REALTIME_BASE_URLS, Settings

LOCAL = "local"
LOCAL_KEY = "offline"  # the local server takes any key that is not empty, unless told otherwise

_OURS: Mapping[str, Any] = {LOCAL: OpenAIProvider, "openai": OpenAIProvider, "azure": AzureProvider}


def open_providers(
    settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[Provider, Mapping[str, Provider]]:
    """The one that is chosen, and all by the names that a caller may use. ``transport`` is for the chosen one.

    Raises ConfigError.
    """
    name = settings.provider or LOCAL
    chosen = _open(name, chosen_endpoint(settings), settings, transport)
    others = {
        other: _open(other, _completed(endpoint, settings), settings, None)
        for other, endpoint in settings.endpoints.items()
        if other != name
    }
    return chosen, {**others, name: chosen}


def chosen_endpoint(settings: Settings) -> EndpointSettings:
    """The endpoint of the provider that the settings choose, with what they say of it elsewhere. Raises ConfigError."""
    name = settings.provider or LOCAL
    endpoint = settings.endpoints.get(name, EndpointSettings(provider=name, options={}))
    if settings.realtime_url is not None:
        endpoint = replace(endpoint, options={**endpoint.options, "base_url": settings.realtime_url})
    if settings.api_key_file is not None and settings.api_key_command is not None:
        raise ConfigError("api_key_file and api_key_command both bring the key: leave one of them out")
    if settings.api_key_command is not None:
        words = command_words(settings.api_key_command, source="api_key_command")
        endpoint = replace(endpoint, api_key=None, api_key_file=None, api_key_command=words)
    elif settings.api_key_file is not None:
        endpoint = replace(endpoint, api_key=None, api_key_file=settings.api_key_file, api_key_command=())
    return _completed(endpoint, settings)


def has_key(endpoint: EndpointSettings) -> bool:
    """Whether somebody said where its key is."""
    return bool(endpoint.api_key or endpoint.api_key_file or endpoint.api_key_command)


def _completed(endpoint: EndpointSettings, settings: Settings) -> EndpointSettings:
    """With what variables of our own and of the providers' say of all endpoints of this provider."""
    known: dict[str, str | None] = {}
    key: Private | None = None
    match endpoint.provider:
        case "local":
            known, key = {"base_url": REALTIME_BASE_URLS[LOCAL]}, Private(LOCAL_KEY)
        case "openai":
            key = settings.openai_api_key
        case "azure":
            known = {"base_url": settings.azure_endpoint, "deployment": settings.azure_deployment}
            key = settings.azure_api_key
    options = {name: value for name, value in known.items() if value is not None} | dict(endpoint.options)
    return replace(endpoint, api_key=endpoint.api_key if has_key(endpoint) else key, options=options)


def _open(
    name: str, endpoint: EndpointSettings, settings: Settings, transport: httpx.AsyncBaseTransport | None
) -> Provider:
    kind = _kind(endpoint.provider)
    try:
        of_its_own = kind.Settings.model_validate(dict(endpoint.options))
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg'].lower()}" for e in exc.errors())
        known = ", ".join(kind.Settings.model_fields)
        raise ConfigError(
            f"the settings of endpoint {name} ({endpoint.provider}) do not fit: {problems}; known: {known}"
        ) from exc
    setup = ProviderSetup(
        name=name,
        settings=of_its_own,
        credential=_credential(name, endpoint),
        upstream=Upstream(name, transport=transport),
        secret_lifetime=settings.session.secret_lifetime,
    )
    try:
        return kind(setup)
    except CouchvoiceError as exc:
        raise ConfigError(f"endpoint {name}: {exc}") from exc


def _kind(provider: str) -> ProviderKind:
    if provider in _OURS:
        return cast(ProviderKind, _OURS[provider])  # their Settings differ, and each takes its own
    for point in entry_points(group=PROVIDER_GROUP, name=provider):
        try:
            return cast(ProviderKind, point.load())  # whatever a package says it is; its first use tells
        except Exception as exc:  # foreign code: whatever it raises is a fact about that package
            raise ConfigError(
                f"the provider {provider} of {point.value} cannot be loaded: {type(exc).__name__}: {exc}"
            ) from exc
    raise ConfigError(f'unknown provider "{provider}": choose one of {", ".join(_OURS)}, or install its package')


def _credential(name: str, endpoint: EndpointSettings) -> Credential:
    if endpoint.api_key_command:
        return KeyCommand(endpoint.api_key_command)
    if endpoint.api_key_file is not None:
        return KeyFile(endpoint.api_key_file)
    try:
        return KeyValue(endpoint.api_key or Private(""))
    except ConfigError as exc:
        raise ConfigError(f"endpoint {name}: {exc}") from exc
