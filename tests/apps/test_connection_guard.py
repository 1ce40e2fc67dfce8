"""Who is slow, or many, keeps nobody out: real sockets against both servers."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from couchvoice.apps import serve
from couchvoice.apps.connection_guard import MAX_CONNECTIONS, ConnectionGuard
from tests.apps.command import PATIENCE, noise, ready, started
from tests.apps.in_process import HOST, served

LIMIT = 4
HEADER_TIMEOUT = 0.2  # seconds
LONGER = 3 * HEADER_TIMEOUT
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
GRACE = 3.0  # seconds for what must happen

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = functools.partial(ConnectionGuard, limit=LIMIT, header_timeout=HEADER_TIMEOUT)
    monkeypatch.setattr(serve, "ConnectionGuard", bounds)


class Slow:
    """Answers ``/slow`` when the test lets it, and all else at once."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asked = asyncio.Semaphore(0)
        routes = [Route("/", self._quick), Route("/slow", self._slow), WebSocketRoute("/ws", self._echo)]
        self.app = Starlette(routes=routes)

    async def _quick(self, _: Request) -> Response:
        return PlainTextResponse("quick")

    async def _slow(self, _: Request) -> Response:
        self.asked.release()
        await self.go.wait()
        return PlainTextResponse("slow")

    async def _echo(self, line: WebSocket) -> None:
        await line.accept()
        await line.send_text(await line.receive_text())
        await line.close()


async def connect(port: int, sent: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(sent)
    return reader, writer


async def end_of(connection: Connection) -> bytes:
    """What still comes, until the server closes it."""
    reader, writer = connection
    try:
        return await asyncio.wait_for(reader.read(), GRACE)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def get(port: int) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"http://{HOST}:{port}/")).raise_for_status().text


async def dribble(connection: Connection, text: bytes) -> int:
    """A byte now and then, until nobody takes it. Returns how many were taken."""
    reader, writer = connection
    for number, _ in enumerate(text):
        writer.write(text[number : number + 1])
        done, _ = await asyncio.wait([reading := asyncio.ensure_future(reader.read())], timeout=HEADER_TIMEOUT / 8)
        if done:
            writer.close()
            return number
        reading.cancel()
        await asyncio.wait([reading])
    writer.close()
    return len(text)


@pytest.mark.row("S10")
@pytest.mark.parametrize("sent", [b"", b"GET", HEAD, HEAD + b"X-Long: "])
async def test_who_sends_no_whole_head_is_let_go(sent: bytes) -> None:
    async with served(Slow().app) as port:
        began = asyncio.get_running_loop().time()
        assert await end_of(await connect(port, sent)) == b""
        assert HEADER_TIMEOUT / 2 < asyncio.get_running_loop().time() - began < HEADER_TIMEOUT + noise()


@pytest.mark.row("S10")
async def test_a_head_that_comes_byte_by_byte_holds_no_connection_the_first_or_a_later_one() -> None:
    async with served(Slow().app) as port:
        long = HEAD + b"X-Long: " + b"x" * 1000
        assert await dribble(await connect(port), long) < len(long)
        second = await connect(port, HEAD + b"\r\n")
        assert (await second[0].readuntil(b"quick")).startswith(b"HTTP/1.1 200")
        assert await dribble(second, long) < len(long)


@pytest.mark.row("S10")
async def test_who_waits_for_an_answer_is_not_cut_nor_who_is_connected_by_websocket() -> None:
    slow = Slow()
    async with served(slow.app) as port, websockets.connect(f"ws://{HOST}:{port}/ws") as line:
        waiting = await connect(port, HEAD.replace(b"/", b"/slow", 1) + b"Connection: close\r\n\r\n")
        await slow.asked.acquire()
        await end_of(await connect(port))  # so long that a silent one was let go
        await end_of(await connect(port))
        slow.go.set()
        assert (await end_of(waiting)).endswith(b"slow")
        await line.send("still here")
        assert await line.recv() == "still here"


@pytest.mark.row("S10")
async def test_a_crowd_that_asks_for_nothing_makes_room_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = functools.partial(ConnectionGuard, limit=LIMIT, header_timeout=60)
    monkeypatch.setattr(serve, "ConnectionGuard", patient)
    async with served(Slow().app) as port:
        silent = [await connect(port, HEAD) for _ in range(LIMIT)]
        assert await get(port) == "quick"
        assert await end_of(silent[0]) == b""
        # The others are served when they ask at last.
        for reader, writer in silent[1:]:
            writer.write(b"\r\n")
            assert await asyncio.wait_for(reader.readuntil(b"quick"), GRACE)
            writer.close()


@pytest.mark.row("S10")
async def test_who_is_being_answered_is_not_sent_away_for_a_newcomer() -> None:
    slow = Slow()
    request = HEAD.replace(b"/", b"/slow", 1) + b"Connection: close\r\n\r\n"
    async with served(slow.app) as port:
        waiting = [await connect(port, request) for _ in range(LIMIT)]
        for _ in waiting:
            await slow.asked.acquire()
        assert await end_of(await connect(port, HEAD + b"\r\n")) == b""
        slow.go.set()
        assert all(answer.endswith(b"slow") for answer in await asyncio.gather(*map(end_of, waiting)))
        assert await get(port) == "quick"


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@contextmanager
def crowd(port: int, number: int) -> Iterator[None]:
    """So many who connect, begin to ask, and say no more."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection((HOST, port))).sendall(HEAD)
        yield


@pytest.mark.row("S10")
@pytest.mark.timeout(60)
@pytest.mark.parametrize(("end", "health"), [("backend", "/api/health"), ("realtime", "/health")])
async def test_more_connections_than_a_server_takes_keep_nobody_out(end: str, health: str) -> None:
    async with started("serve", end, "--port", "0") as server, httpx.AsyncClient(timeout=PATIENCE) as http:
        url = await ready(server)
        before = open_files(server.process.pid)
        with crowd(int(url.rpartition(":")[2]), MAX_CONNECTIONS + 100):
            for _ in range(3):
                assert (await http.get(url + health)).status_code == 200
            assert open_files(server.process.pid) - before <= MAX_CONNECTIONS
