"""The keys that tokens are signed with: one that is shared, or the public ones of an issuer (JWKS, RFC 7517).

Law: the algorithm is the operator's choice; a key that does not fit it is not taken; the issuer's keys come over TLS
(or from this machine), without a redirect, bounded in size, time and number, and a token cannot make us fetch often.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

import httpx
import jwt

from couchvoice.addresses import require_safe_url
from couchvoice.backend.refusals import Refused
from couchvoice.errors import ConfigError
from couchvoice.private import Private

SHARED_KEY_ALGORITHM = "HS256"
KEY_SET_ALGORITHMS = ("RS256", "ES256")
MIN_SHARED_KEY = 32  # bytes. RFC 7518 §3.2: "A key of the same size as the hash output … or larger MUST be used"
MIN_RSA_KEY = 2048  # bits. RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used"
FETCH_TIMEOUT = 5.0  # seconds
MAX_KEY_SET = 256 * 1024  # bytes
MAX_KEYS = 64
LIFESPAN = 600.0  # seconds until the keys are fetched again
COOLDOWN = 30.0  # seconds between two fetches, however many tokens name a key that is not there
MAX_AGE = 24 * 3600.0  # seconds that old keys serve while the issuer cannot be reached

_log = logging.getLogger("couchvoice.backend.keys")


class SigningKeys(Protocol):
    @property
    def algorithm(self) -> str: ...

    async def find(self, kid: object) -> Any:
        """What PyJWT verifies with; ``kid`` is what a token's head says. Raises Refused (401, 503)."""

    async def close(self) -> None: ...


class SharedKey:
    """Raises ConfigError."""

    algorithm = SHARED_KEY_ALGORITHM

    def __init__(self, key: Private) -> None:
        text = key.reveal()
        if "-----BEGIN" in text:
            raise ConfigError("the shared key of the tokens is a PEM: a public key is no secret, name its JWKS URL")
        if len(text.encode()) < MIN_SHARED_KEY:
            raise ConfigError(f"the shared key of the tokens is too short: HS256 needs {MIN_SHARED_KEY} bytes or more")
        self._key = text

    async def find(self, kid: object) -> Any:
        return self._key

    async def close(self) -> None:
        """Nothing to close."""


class KeySet:
    """The public keys at ``url``. Raises ConfigError."""

    def __init__(
        self,
        url: str,
        *,
        algorithm: str = KEY_SET_ALGORITHMS[0],
        http: httpx.AsyncClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if algorithm not in KEY_SET_ALGORITHMS:
            raise ConfigError(
                f'tokens cannot be verified by "{algorithm}" with a JWKS URL: choose {" or ".join(KEY_SET_ALGORITHMS)}'
            )
        self.algorithm = algorithm
        self._url = require_safe_url(url)
        # As with providers: a proxy from the environment has no business between two ends on one machine.
        self._http = http or httpx.AsyncClient(trust_env=self._url.startswith("https"))
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = -float("inf")
        self._fetching = asyncio.Lock()

    async def find(self, kid: object) -> jwt.PyJWK:
        if not isinstance(kid, str):
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_invalid", "the token is refused: it names no key")
        await self._refresh(kid)
        if self._clock() - self._fetched_at > MAX_AGE:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "keys_unavailable", "the issuer's keys cannot be had now")
        if kid not in self._keys:
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_invalid", "the token is refused: its key is not known")
        return self._keys[kid]

    async def close(self) -> None:
        await self._http.aclose()

    async def _refresh(self, kid: str) -> None:
        if kid in self._keys and self._fetching.locked():
            return  # an issuer that hangs holds up nobody whose key is here
        async with self._fetching:
            now = self._clock()
            is_wanted = kid not in self._keys or now - self._fetched_at > LIFESPAN
            if not is_wanted or now - self._tried_at < COOLDOWN:
                return
            self._tried_at = now
            try:
                async with asyncio.timeout(FETCH_TIMEOUT):
                    keys = _usable(json.loads(await self._fetch()), self.algorithm)
            except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as exc:
                _log.warning("x the keys of the tokens could not be fetched: %s", type(exc).__name__)
                return
            self._keys, self._fetched_at = keys, now
            _log.info("- %d keys of the tokens fetched", len(keys))

    async def _fetch(self) -> bytes:
        body = bytearray()
        async with self._http.stream("GET", self._url, follow_redirects=False) as response:
            if response.status_code != HTTPStatus.OK:
                raise ValueError("no key set")
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_KEY_SET:
                    raise ValueError("too large")
        return bytes(body)


def _usable(document: object, algorithm: str) -> dict[str, jwt.PyJWK]:
    """By ``kid``; the first of two with the same. Raises ValueError when it is no key set."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no key set")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in document["keys"][:MAX_KEYS]:
        key = _key(entry, algorithm)
        if key is not None:
            keys.setdefault(entry["kid"], key)
    return keys


def _key(entry: object, algorithm: str) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    if "d" in entry:  # a private key that everybody knows
        return None
    if entry.get("alg", algorithm) != algorithm or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    fits = entry.get("crv") == "P-256" if algorithm == "ES256" else key.key.key_size >= MIN_RSA_KEY
    return key if fits else None
