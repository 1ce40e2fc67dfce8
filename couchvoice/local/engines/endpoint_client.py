"""HTTP to an OpenAI-compatible server: the only module of the local server that knows httpx.

Law: plain ``http`` goes to loopback only, redirects are not followed, answers are read up to a bound, and every failure
leaves as EngineFailed with the server's host; neither the key nor what the server said is in it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from couchvoice.addresses import require_safe_url
from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import Endpoint
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.protocol.bad_event import BadEvent, read_object

CONNECT_TIMEOUT = 5.0  # seconds
MAX_JSON = 4 * 1024 * 1024  # bytes of an answer in JSON, or of all events of a stream

_OK = 200
_HEADER_SAFE = re.compile(r"[\x21-\x7e]*")
_EVENT_STREAM = "text/event-stream"
_END_OF_STREAM = b"[DONE]"


class EndpointClient:
    """Posts to one endpoint. ``quiet`` is how long it may be silent, in seconds. Raises ConfigError.

    Whoever makes it closes it.
    """

    def __init__(self, endpoint: Endpoint, *, quiet: float) -> None:
        url = require_safe_url(endpoint.url)
        key = endpoint.key.reveal() if endpoint.key else ""
        if not _HEADER_SAFE.fullmatch(key):
            raise ConfigError(f"the key for {endpoint.url} holds a space, a line break or a letter that no key has")
        self.host = urlsplit(url).netloc
        self._quiet = quiet
        self._http = httpx.AsyncClient(
            base_url=f"{url}/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(quiet, connect=CONNECT_TIMEOUT),
            # A proxy from the environment has no business between two programs on one machine.
            trust_env=url.startswith("https"),
        )

    async def post(self, path: str, *, most: int = MAX_JSON, **body: Any) -> tuple[str, bytes]:
        """Type and body of the whole answer. ``body`` is as httpx has it: json, or data and files."""
        async with self._posted(path, body) as answer:
            return _media_type(answer), await self._read(answer, most)

    async def post_for_object(self, path: str, **body: Any) -> dict[str, Any]:
        _, answer = await self.post(path, **body)
        return self._object(answer)

    async def stream(self, path: str, question: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The objects of the answer as they come: one for each event, or one in all if it is no stream."""
        async with self._posted(path, {"json": question}, whole=False) as answer:
            if _media_type(answer) != _EVENT_STREAM:
                yield self._object(await self._read(answer, MAX_JSON))
                return
            async with aclosing(self._lines(answer)) as lines:
                async for line in lines:
                    name, _, value = line.partition(b":")
                    if name == b"data" and (payload := value.strip()):
                        if payload == _END_OF_STREAM:
                            return
                        yield self._object(payload)

    def failed(self, detail: str) -> EngineFailed:
        return EngineFailed(self.host, detail)

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def _posted(self, path: str, body: Mapping[str, Any], *, whole: bool = True) -> AsyncIterator[httpx.Response]:
        with self._map_httpx_errors():
            # httpx bounds each read, not the sum of them: a slow body would go on for ever. A stream is bounded by
            # who waits for its parts.
            async with (
                asyncio.timeout(self._quiet if whole else None),
                self._http.stream("POST", path, **body) as answer,
            ):
                if answer.status_code != _OK:
                    raise self.failed(f"it answered {answer.status_code}")
                yield answer

    async def _read(self, answer: httpx.Response, most: int) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > most:
                raise self.failed(f"its answer is larger than {most // 1024 // 1024} MiB")
        return bytes(body)

    async def _lines(self, answer: httpx.Response) -> AsyncGenerator[bytes, None]:
        rest, size = b"", 0
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            if size > MAX_JSON:
                raise self.failed(f"its answer is larger than {MAX_JSON // 1024 // 1024} MiB")
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
        yield rest

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            return read_object(text)
        except BadEvent as exc:
            raise self.failed("its answer is no JSON object") from exc

    @contextmanager
    def _map_httpx_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as exc:
            raise self.failed("no connection in time") from exc
        except (httpx.TimeoutException, TimeoutError) as exc:
            raise self.failed("no answer in time") from exc
        except httpx.ConnectError as exc:
            raise self.failed("no connection") from exc
        except httpx.DecodingError as exc:
            raise self.failed("its answer cannot be decoded") from exc
        except httpx.HTTPError as exc:
            raise self.failed(f"the connection broke ({type(exc).__name__})") from exc


def _media_type(answer: httpx.Response) -> str:
    kind: str = answer.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower()
