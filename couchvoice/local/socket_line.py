"""One WebSocket as a line of texts, both ways, with what the client has not taken yet.

Law: bounded (SendQueue); whatever ends the line, ``close`` is told why and never hangs. Pings, and the size of a
message, are the HTTP server's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from couchvoice.local.send_queue import SendQueue

log = logging.getLogger("couchvoice.local.websocket")

CLOSE_TIMEOUT = 2.0  # seconds
FLUSH_TIMEOUT = 1.0  # seconds for the last texts to be taken
GOING_AWAY, TOO_SLOW = 1001, 1008  # RFC 6455 §7.4.1


class SocketLine:
    """``write`` must run as long as anything is to be sent."""

    def __init__(self, name: str, socket: WebSocket) -> None:
        self._name = name
        self._socket = socket
        self._queue = SendQueue()
        self._close_code = GOING_AWAY

    def send(self, event: dict[str, Any] | str) -> bool:
        """False when the client takes nothing any more: the line is to be closed."""
        text = event if isinstance(event, str) else msgspec.json.encode(event).decode()
        if self._queue.put(text):
            return True
        if self._close_code != TOO_SLOW:
            log.warning("x %s: the client takes nothing, it is let go", self._name)
        self._close_code = TOO_SLOW
        return False

    async def room(self) -> None:
        """Return when it makes sense to make more speech."""
        await self._queue.room()

    async def read(self) -> AsyncIterator[str | bytes]:
        """Until the client is gone."""
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            yield message["bytes"] if text is None else text

    async def write(self) -> None:
        """Until the client is gone."""
        try:
            while True:
                await self._socket.send_text(await self._queue.get())
        except WebSocketDisconnect:
            return

    async def flush(self) -> None:
        """Give the client a moment to take what was sent."""
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._queue.empty()
        except TimeoutError:
            log.debug("x %s: the client does not take the last events", self._name)

    async def close(self) -> None:
        states = self._socket.client_state, self._socket.application_state
        if WebSocketState.DISCONNECTED in states:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._socket.close(self._close_code)
        except (TimeoutError, WebSocketDisconnect):
            log.debug("x %s: the client does not take its end", self._name)
