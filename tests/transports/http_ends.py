"""A real HTTP server on a port that answers each connection with bytes of the test's, well-formed or not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class RawEnd:
    """``requests`` holds what came: the head and the body of each."""

    url: str
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def raw_end(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawEnd]:
    """``answer`` writes what it likes, until the client has gone; then the connection is closed."""
    end = RawEnd("")
    talking: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # asyncio makes one for each connection
        talking.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            end.requests.append(head + await reader.readexactly(length))
            await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone: that is what some tests want
        finally:
            writer.close()
            talking.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    end.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield end
    finally:
        server.close()
        await asyncio.gather(*talking)


def reply(body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> Answer:
    """A well-formed answer."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)
        await writer.drain()

    return answer


def raw(text: bytes) -> Answer:
    """Just these bytes."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return answer
