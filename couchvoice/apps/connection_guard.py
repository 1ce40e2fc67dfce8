"""Who may stay connected to a server of ours: whoever asks for something, and soon.

    no whole request head HEADER_TIMEOUT after one could begin   closed: a slow head holds nothing
    more connections than the limit                              who has been idle longest makes room, else the new one

Not what is asked for: bodies have bounds of their own, and a WebSocket those of its session. Law: a connection that is
being answered is never cut; so a crowd of silent ones keeps nobody out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_TIMEOUT = 10.0  # seconds
MAX_CONNECTIONS = 512  # below the 1024 files that a process may usually have open


class ConnectionGuard:
    """``connection`` is what uvicorn makes for each of them."""

    def __init__(self, *, limit: int = MAX_CONNECTIONS, header_timeout: float = HEADER_TIMEOUT) -> None:
        self.header_timeout = header_timeout
        self._limit = limit
        self._open: OrderedDict[GuardedConnection, None] = OrderedDict()  # who was heard longest ago stands first

    def connection(self, **of_uvicorn: Any) -> GuardedConnection:
        return GuardedConnection(self, H11Protocol(**of_uvicorn))

    def enter(self, connection: GuardedConnection) -> None:
        self._open[connection] = None
        if len(self._open) > self._limit:
            # The new one is the last of them.
            next(idle for idle in self._open if idle.is_idle).drop()

    def heard(self, connection: GuardedConnection) -> None:
        self._open.move_to_end(connection)

    def leave(self, connection: GuardedConnection) -> None:
        """May be called twice."""
        self._open.pop(connection, None)


class GuardedConnection(asyncio.Protocol):
    """uvicorn's connection, with a clock beside it."""

    def __init__(self, guard: ConnectionGuard, inner: H11Protocol) -> None:
        self._guard = guard
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._clock: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Nothing that it asked for is being answered."""
        cycle = self._inner.cycle
        return cycle is None or cycle.response_complete

    def drop(self) -> None:
        self._go()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # it is a stream's
        self._transport = transport
        self._inner.connection_made(transport)
        self._clock = self._loop.call_later(self._guard.header_timeout, self.drop)
        self._guard.enter(self)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None  # it comes first
        self._guard.heard(self)
        self._inner.data_received(data)
        if self._transport.get_protocol() is not self:
            self._go()  # it is a WebSocket now, and another protocol's
        elif not self.is_idle:
            self._stop_clock()
        elif self._clock is None:
            self._clock = self._loop.call_later(self._guard.header_timeout, self.drop)

    def eof_received(self) -> None:
        self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._go()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _go(self) -> None:
        self._stop_clock()
        self._guard.leave(self)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
