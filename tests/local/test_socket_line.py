"""What one WebSocket is told, and what the log says of it."""

from __future__ import annotations

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from couchvoice.local.send_queue import LIMIT
from couchvoice.local.socket_line import SocketLine


async def nothing() -> Message:
    raise AssertionError("nobody reads")


async def nowhere(_: Message) -> None:
    raise AssertionError("nobody writes")


async def test_a_client_that_takes_nothing_is_let_go_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    line = SocketLine("sess_1", WebSocket({"type": "websocket"}, nothing, nowhere))
    assert line.send("x" * LIMIT)
    assert [line.send("y") for _ in range(3)] == [False] * 3
    assert [record.getMessage() for record in caplog.records] == ["x sess_1: the client takes nothing, it is let go"]
