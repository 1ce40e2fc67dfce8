"""HTTP from the backend to a provider.

Law: it goes where the settings say and nowhere else: no redirect is followed, no proxy of the environment is asked,
plain ``http`` reaches this machine only. An answer is read up to a bound, within a time.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from couchvoice.addresses import require_safe_url
from couchvoice.backend.providers.provider import Failure, ProviderFailed

UPSTREAM_TIMEOUT = 8.0  # seconds for a whole answer, below the client's connect deadline
MAX_ANSWER = 1024 * 1024  # bytes; a session comes back with its instructions and tools

_log = logging.getLogger("couchvoice.backend.providers")


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class Upstream:
    """``provider`` is its name, for messages. ``transport`` None: real sockets. ``timeout``: for a whole answer."""

    def __init__(
        self,
        provider: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = UPSTREAM_TIMEOUT,
    ) -> None:
        self._provider = provider
        self._transport = transport
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None

    async def post(self, url: str, *, headers: Mapping[str, str], **content: Any) -> UpstreamReply:
        """``content``: ``json``, ``content`` or ``files`` as httpx has them. Raises ProviderFailed."""
        require_safe_url(url)
        try:
            # httpx bounds each read, not the sum of them: a slow body would go on for ever.
            async with (
                asyncio.timeout(self._timeout),
                self._client(url).stream("POST", url, headers=headers, **content) as reply,
            ):
                body = bytearray()
                async for chunk in reply.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise self.failed(Failure.ERROR, f"answered with more than {MAX_ANSWER // 1024} KiB")
        except (httpx.HTTPError, TimeoutError) as exc:
            _log.warning("x %s: %s", self._provider, type(exc).__name__)
            raise self.failed(Failure.UNREACHABLE, "cannot be reached") from exc
        return UpstreamReply(reply.status_code, bytes(body))

    def failed(self, failure: Failure, what: str) -> ProviderFailed:
        """The exception, once logged. ``what`` completes "the provider NAME …"."""
        _log.warning("x %s: %s", self._provider, failure.value)
        return ProviderFailed(failure, self._provider, what)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    def _client(self, url: str) -> httpx.AsyncClient:
        if self._http is None:
            transport = self._transport or httpx.AsyncHTTPTransport(verify=_tls_context(url))
            self._http = httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=None)
        return self._http


def _tls_context(url: str) -> ssl.SSLContext:
    """The system's trust for https. For http an empty one, which trusts nobody and costs no start-up time."""
    return httpx.create_ssl_context() if url.startswith("https") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
