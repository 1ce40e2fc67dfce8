"""HTTP for the client: the only module on its side that knows httpx.

Law: redirects are not followed (a secret goes where it was meant to go), answers are read up to a bound, plain
``http`` goes to loopback only, and every failure of the library leaves as ``HttpFailure``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from couchvoice.addresses import require_safe_url

CONNECT_TIMEOUT = 5.0  # seconds
MAX_BODY = 4 * 1024 * 1024  # bytes; no answer of a backend or a calls URL is near it


class HttpFailure(Exception):
    """No usable answer. The text says why, without the URL's query."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class HttpClient:
    """Speaks to one server. ``app`` is an ASGI application that answers in this process, without a port."""

    def __init__(self, base_url: str, *, app: Any = None) -> None:
        parts = urlsplit(require_safe_url(base_url))
        transport: httpx.AsyncBaseTransport
        if app is not None:
            # What the application raises it has answered with 500, as behind a port.
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        else:
            transport = httpx.AsyncHTTPTransport(verify=_tls_context(parts.scheme))
        self._http = httpx.AsyncClient(
            transport=transport, follow_redirects=False, timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT)
        )

    async def __aenter__(self) -> HttpClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, within: float) -> HttpReply:
        """Post and read the whole answer within that many seconds. Raises HttpFailure."""
        return await self.send("POST", url, body, headers, within=within)

    async def send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, within: float
    ) -> HttpReply:
        """As ``post``, with any method."""
        with _map_httpx_errors():
            # httpx bounds each read, not the sum of them: a slow body would go on for ever.
            async with asyncio.timeout(within), self._http.stream(method, url, content=body, headers=headers) as reply:
                return HttpReply(reply.status_code, reply.headers, await _read(reply))

    async def close(self) -> None:
        await self._http.aclose()


def _tls_context(scheme: str) -> ssl.SSLContext:
    """The system's trust for https. For http an empty one, which trusts nobody and costs no start-up time."""
    return httpx.create_ssl_context() if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def _read(reply: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in reply.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise HttpFailure(f"the answer is larger than {MAX_BODY // 1024 // 1024} MiB")
    return bytes(body)


@contextmanager
def _map_httpx_errors() -> Iterator[None]:
    try:
        yield
    except httpx.ConnectTimeout as exc:
        raise HttpFailure("no connection in time") from exc
    except (httpx.TimeoutException, TimeoutError) as exc:
        raise HttpFailure("no answer in time") from exc
    except httpx.ConnectError as exc:
        raise HttpFailure(f"no connection: {exc}") from exc
    except httpx.DecodingError as exc:
        raise HttpFailure("the answer cannot be decoded") from exc
    except httpx.InvalidURL as exc:
        raise HttpFailure(f"the address cannot be used: {exc}") from exc
    except UnicodeEncodeError as exc:
        # A secret or a token that somebody else made up. Its text must not be told.
        raise HttpFailure("a header would hold characters that HTTP does not allow") from exc
    except httpx.HTTPError as exc:
        raise HttpFailure(f"the connection broke ({type(exc).__name__})") from exc
