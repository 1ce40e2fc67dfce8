"""A connection that posts JSON, one request after the other, and costs its process as little as it can.

Not an HTTP client: it reads answers that have a Content-Length, as the servers of the benchmarks send them.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class HttpLine:
    """Use it as a context."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None  # the servers of the benchmarks have one
        self._place = (parts.hostname, parts.port)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> HttpLine:
        self._reader, self._writer = await asyncio.open_connection(*self._place)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[float, dict[str, Any]]:
        """Seconds to the whole answer, and the answer. Raises ValueError unless it is 200."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: {self._place[0]}\r\nContent-Type: application/json\r\n{lines}"
        began = time.perf_counter()
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(answer)
        assert found is not None, answer
        content = await self._reader.readexactly(int(found[1]))
        seconds = time.perf_counter() - began
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise ValueError(content.decode())
        return seconds, json.loads(content)
