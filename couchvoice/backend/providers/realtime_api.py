"""OpenAI's Realtime API, hosted or served by somebody else: how a secret is minted and an offer answered there.

Law: the API key goes out in one header to two fixed URLs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from couchvoice.addresses import require_safe_url
from couchvoice.backend.providers.credential import Credential, KeyUnreadable
from couchvoice.backend.providers.provider import AUTHORIZATION, ClientSecret, Failure, Place
from couchvoice.backend.providers.upstream import Upstream, UpstreamReply
from couchvoice.private import Private

SECRET_LIFETIME = 300  # seconds
SAFETY_IDENTIFIER_HEADER = "OpenAI-Safety-Identifier"

_REFUSED_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

_log = logging.getLogger("couchvoice.backend.providers")


class RealtimeApi:
    """``base_url`` as in ``https://api.openai.com/v1``. ``key_header`` takes the key: as a Bearer, or alone.

    Raises ConfigError for a URL to which no key may be sent.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential,
        upstream: Upstream,
        *,
        key_header: str = AUTHORIZATION,
        model: str | None = None,
        secret_lifetime: int = SECRET_LIFETIME,
    ) -> None:
        base = require_safe_url(base_url)
        self.place = Place(
            calls_url=f"{base}/realtime/calls", ws_url=f"ws{base.removeprefix('http')}/realtime", model=model
        )
        self._secrets_url = f"{base}/realtime/client_secrets"
        self._credential = credential
        self._upstream = upstream
        self._key_header = key_header
        self._lifetime = secret_lifetime

    async def mint(self, session_config: Mapping[str, Any], *, safety_identifier: str) -> ClientSecret:
        body = {"expires_after": {"anchor": "created_at", "seconds": self._lifetime}, "session": session_config}
        reply = await self._post(self._secrets_url, safety_identifier, what="a secret", json=body)
        try:
            match json.loads(reply.body):
                case {"value": str(value), "expires_at": int() | float() as expires_at} if value:
                    return ClientSecret(Private(value), float(expires_at))
        except (ValueError, RecursionError):
            pass  # not JSON: the same answer as for JSON without a secret
        raise self._upstream.failed(Failure.ERROR, "sent no usable secret")

    async def answer(self, offer: str, session_config: Mapping[str, Any], *, safety_identifier: str) -> str:
        # OpenAI, "unified interface": the parts sdp and session, with the API key.
        parts = {
            "sdp": (None, offer.encode(), "application/sdp"),
            "session": (None, json.dumps(session_config).encode(), "application/json"),
        }
        reply = await self._post(self.place.calls_url, safety_identifier, what="an answer", files=parts)
        if not reply.body.strip():
            raise self._upstream.failed(Failure.EMPTY, "answered the offer with nothing")
        if not reply.body.lstrip().startswith(b"v=0"):
            raise self._upstream.failed(Failure.ERROR, "answered the offer with something else than SDP")
        return reply.body.decode("utf-8", "replace")

    async def close(self) -> None:
        await self._upstream.close()

    async def _post(self, url: str, safety_identifier: str, *, what: str, **content: Any) -> UpstreamReply:
        reply = await self._upstream.post(url, headers=await self._headers(safety_identifier), **content)
        if reply.status in _REFUSED_KEY and self._credential.refused():
            # The key was one that a command had printed a while ago: it prints another one now.
            reply = await self._upstream.post(url, headers=await self._headers(safety_identifier), **content)
        if reply.status in _REFUSED_KEY:
            raise self._upstream.failed(Failure.AUTH_FAILED, "refused the backend's API key")
        if not reply.ok:
            raise self._upstream.failed(Failure.ERROR, f"answered {reply.status} when asked for {what}")
        return reply

    async def _headers(self, safety_identifier: str) -> Mapping[str, str]:
        try:
            key = await self._credential.key()
        except KeyUnreadable as exc:
            _log.error("x %s", exc)
            raise self._upstream.failed(Failure.NO_KEY, "has no API key that can be read: see the log") from exc
        if not key:
            raise self._upstream.failed(Failure.NO_KEY, "has no API key: set it, or choose the local provider")
        bearer = self._key_header == AUTHORIZATION
        return {
            self._key_header: f"Bearer {key.reveal()}" if bearer else key.reveal(),
            SAFETY_IDENTIFIER_HEADER: safety_identifier,
        }
