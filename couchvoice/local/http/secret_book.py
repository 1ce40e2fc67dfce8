"""Client secrets: minted for an API key, good for calls until they expire, or for one call.

Law: a secret carries the session config and the faults that it was minted with; who holds it changes nothing that
they name, and may add what they leave open. (OpenAI, "Create client secret": ``expires_after.seconds`` 10 to 7200,
default 600; "may be used to create multiple sessions" until then, and a running session outlives it.)
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from couchvoice.errors import ConfigError
from couchvoice.local.faults.faults import Faults

PREFIX = "ek_"
DEFAULT_LIFETIME = 600  # seconds
SHORTEST_LIFETIME, LONGEST_LIFETIME = 10, 7200  # seconds
MAX_LIVE = 2000  # secrets; each holds a session of up to 200 KiB
_TOKEN_BYTES = 24


class Expiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: Annotated[int, Meta(ge=SHORTEST_LIFETIME, le=LONGEST_LIFETIME)] = DEFAULT_LIFETIME
    anchor: Literal["created_at"] = "created_at"


class SecretRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of "Create client secret"."""

    expires_after: Expiry = Expiry()
    session: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class ClientSecret:
    value: str
    expires_at: float  # seconds since the epoch
    session: Mapping[str, Any]
    faults: Faults
    safety_identifier: str | None = None  # for whom it was minted, as the backend hashed them


class BookFull(Exception):
    """So many secrets live that no more are made; ``seconds`` until one of them expires."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class SecretBook:
    """``api_key`` None: any key that is not empty will do. ``single_use``: a secret opens one session.

    Raises ConfigError.
    """

    def __init__(self, api_key: str | None = None, *, single_use: bool = False) -> None:
        if api_key is not None and not api_key.strip():
            # Such as a variable that is not set, in a script: never "any key".
            raise ConfigError("the API key is empty: give one, or leave the option out and any key will do")
        self._api_key = api_key
        self._single_use = single_use
        self._live: dict[str, ClientSecret] = {}
        self._spent: set[str] = set()  # of the live ones: they still hang up what they have opened

    def is_key(self, bearer: str) -> bool:
        """Whether this is an API key (and no client secret)."""
        if bearer and self._api_key is not None:
            return secrets.compare_digest(bearer.encode(), self._api_key.encode())
        return bool(bearer) and not bearer.startswith(PREFIX)

    def mint(
        self,
        session: Mapping[str, Any],
        *,
        now: float,
        lifetime: int = DEFAULT_LIFETIME,
        faults: Faults | None = None,
        safety_identifier: str | None = None,
    ) -> ClientSecret:
        """Raises BookFull."""
        self._forget_expired(now)
        if len(self._live) >= MAX_LIVE:
            raise BookFull(min(secret.expires_at for secret in self._live.values()) - now)
        value = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        secret = ClientSecret(value, now + lifetime, session, faults or Faults(), safety_identifier)
        self._live[value] = secret
        return secret

    def find(self, bearer: str, *, now: float) -> ClientSecret | None:
        """The live secret with this value."""
        self._forget_expired(now)
        return self._live.get(bearer)

    def spend(self, secret: ClientSecret) -> bool:
        """Open a session with it. False: it is for one session, and has opened that."""
        if self._single_use and secret.value in self._spent:
            return False
        if self._single_use:
            self._spent.add(secret.value)
        return True

    def give_back(self, secret: ClientSecret) -> None:
        """The session for which it was spent did not come about."""
        self._spent.discard(secret.value)

    def _forget_expired(self, now: float) -> None:
        for value in [value for value, secret in self._live.items() if secret.expires_at <= now]:
            del self._live[value]
            self._spent.discard(value)
