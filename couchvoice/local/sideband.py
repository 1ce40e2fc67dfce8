"""A second connection to a call, over WebSocket: its client sees all events of the call and sends its own.

OpenAI calls it a sideband: a backend runs tools and watches the talk while the sound goes to the client.
Law: it lives no longer than the call, and when it ends the call goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from starlette.websockets import WebSocket

from couchvoice.local.socket_line import SocketLine


class Joined(Protocol):
    """A call that others may join."""

    def join(self, tell: Callable[[dict[str, Any] | str], None]) -> None: ...

    def leave(self, tell: Callable[[dict[str, Any] | str], None]) -> None: ...

    def receive(self, message: str | bytes) -> None: ...

    async def over(self) -> None: ...


class Sideband:
    """``run`` it once the connection is accepted."""

    def __init__(self, name: str, socket: WebSocket, call: Joined) -> None:
        self._line = SocketLine(name, socket)
        self._call = call
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Until the client, or the call, is gone."""
        self._call.join(self._tell)
        try:
            async with asyncio.TaskGroup() as tasks:
                for end in (self._read, self._line.write, self._call.over):
                    tasks.create_task(self._end_after(end), name="sideband")
                await self._over.wait()
                await self._line.flush()
                raise _Over
        except* _Over:
            pass
        finally:
            self._call.leave(self._tell)
            await self._line.close()

    def hang_up(self) -> None:
        self._over.set()

    async def _end_after(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await end()
        self.hang_up()

    async def _read(self) -> None:
        async for message in self._line.read():
            self._call.receive(message)

    def _tell(self, event: dict[str, Any] | str) -> None:
        if not self._line.send(event):
            self.hang_up()


class _Over(Exception):
    """Ends the task group of a sideband."""
