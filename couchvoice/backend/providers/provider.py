"""What a provider is to the backend: whoever holds the talk, and lets in who brings its short-lived secret.

Law: an API key stays behind this seam; a secret is minted for each request and never kept; of what goes wrong on the
other side only its kind comes back, never its words.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from couchvoice.errors import CouchvoiceError
from couchvoice.private import Private

AUTHORIZATION = "Authorization"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    value: Private
    expires_at: float  # Unix time; until then it may open several sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How a client reaches the provider; the session reply tells it.

    ``secret_header`` takes the secret: as a Bearer when it is Authorization, else alone. ``audio_codec``: opus, pcmu
    or pcma, what the client offers over WebRTC. ``model``: the only one that is served there, such as a deployment.
    """

    calls_url: str
    ws_url: str | None = None
    secret_header: str = AUTHORIZATION
    audio_codec: str = "opus"
    model: str | None = None


class Failure(enum.Enum):
    """Why a provider gave nothing."""

    NO_KEY = "credentials_not_found"  # there is none, or it cannot be read
    UNREACHABLE = "upstream_unreachable"  # no connection, or no answer in time
    AUTH_FAILED = "upstream_auth_failed"  # it refused the key
    ERROR = "upstream_error"  # it answered something else than was asked for
    EMPTY = "empty_answer"  # it answered with nothing


class ProviderFailed(CouchvoiceError):
    """``what`` completes "the provider NAME …" and says nothing that the other side said."""

    def __init__(self, failure: Failure, provider: str, what: str) -> None:
        super().__init__(failure, provider, what)
        self.code = failure.value
        self.failure = failure
        self.provider = provider
        self.what = what

    def __str__(self) -> str:
        return f"the provider {self.provider} {self.what}"


class Provider(Protocol):
    """``session_config`` is a session in GA's shape."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> Place: ...

    async def mint(self, session_config: Mapping[str, Any], *, safety_identifier: str) -> ClientSecret:
        """A fresh secret with this session config bound to it. Raises ProviderFailed."""

    async def answer(self, offer: str, session_config: Mapping[str, Any], *, safety_identifier: str) -> str:
        """The SDP answer to a client's SDP offer, for a session with this config. Raises ProviderFailed."""

    async def close(self) -> None:
        """Release everything. The provider is not usable afterwards."""
