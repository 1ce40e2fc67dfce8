"""Providers: whoever holds the talk, and mints the short-lived secret for it.

Law: the API key leaves this module in one header to one fixed URL; a secret is minted for each request and never
kept; nothing that the other side says is passed on, only what kind of failure it was.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import httpx

from couchvoice.addresses import require_safe_url
from couchvoice.backend.refusals import Refused
from couchvoice.errors import ConfigError
from couchvoice.private import Private

SECRET_LIFETIME = 300  # seconds
MINT_TIMEOUT = 8.0  # seconds, below the client's connect deadline
SAFETY_IDENTIFIER_HEADER = "OpenAI-Safety-Identifier"

_HEADER_SAFE = re.compile(r"[\x21-\x7e]*")

_log = logging.getLogger("couchvoice.backend.providers")


@dataclass(frozen=True, slots=True)
class ClientSecret:
    value: Private
    expires_at: float  # Unix time; until then it may open several sessions


class Provider(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def calls_url(self) -> str: ...

    @property
    def ws_url(self) -> str: ...

    async def mint(self, session_config: Mapping[str, Any], *, safety_identifier: str) -> ClientSecret:
        """A fresh secret with this session config bound to it. Raises Refused (502, 503)."""

    async def close(self) -> None: ...


class RealtimeProvider:
    """OpenAI's Realtime API at ``base_url`` (``https://api.openai.com/v1``), or a server that speaks it."""

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: Private,
        *,
        http: httpx.AsyncClient | None = None,
        secret_lifetime: int = SECRET_LIFETIME,
    ) -> None:
        base = require_safe_url(base_url)
        # An HTTP library names the header that it cannot send, with its value.
        if not _HEADER_SAFE.fullmatch(api_key.reveal()):
            raise ConfigError(f"the API key of {name} holds a space, a line break or a letter that no key has")
        self.name = name
        self.calls_url = f"{base}/realtime/calls"
        self.ws_url = f"ws{base.removeprefix('http')}/realtime"
        self._secrets_url = f"{base}/realtime/client_secrets"
        self._api_key = api_key
        self._lifetime = secret_lifetime
        # A proxy from the environment has no business between two ends on one machine.
        self._http = http or httpx.AsyncClient(trust_env=base.startswith("https"))

    async def mint(self, session_config: Mapping[str, Any], *, safety_identifier: str) -> ClientSecret:
        if not self._api_key:
            raise self._unavailable("has no API key: set it, or choose the local provider")
        try:
            async with asyncio.timeout(MINT_TIMEOUT):
                response = await self._http.post(
                    self._secrets_url,
                    headers={
                        "Authorization": f"Bearer {self._api_key.reveal()}",
                        SAFETY_IDENTIFIER_HEADER: safety_identifier,
                    },
                    json={
                        "expires_after": {"anchor": "created_at", "seconds": self._lifetime},
                        "session": session_config,
                    },
                )
        except (httpx.HTTPError, TimeoutError) as exc:
            _log.warning("x %s: %s", self.name, type(exc).__name__)
            raise self._unavailable("cannot be reached") from exc
        return self._secret(response)

    async def close(self) -> None:
        """Close the HTTP client. The provider is not usable afterwards."""
        await self._http.aclose()

    def _secret(self, response: httpx.Response) -> ClientSecret:
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._bad_gateway("upstream_auth_failed", "refused the backend's API key")
        if not response.is_success:
            raise self._bad_gateway("upstream_error", f"answered {response.status_code} when asked for a secret")
        try:
            match response.json():
                case {"value": str(value), "expires_at": int() | float() as expires_at} if value:
                    return ClientSecret(Private(value), float(expires_at))
        except ValueError:
            pass  # not JSON: the same answer as for JSON without a secret
        raise self._bad_gateway("upstream_error", "sent no usable secret")

    def _unavailable(self, what: str) -> Refused:
        return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "realtime_unavailable", f"the provider {self.name} {what}")

    def _bad_gateway(self, code: str, what: str) -> Refused:
        _log.warning("x %s: %s", self.name, code)
        return Refused(HTTPStatus.BAD_GATEWAY, code, f"the provider {self.name} {what}")
