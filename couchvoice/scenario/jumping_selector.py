"""Where the loop of the media clock waits, and so where its time goes on: a selector that jumps in place of waiting.

Law: it jumps only when nothing is readable and nothing is under way outside of the loop, and never past the next timer.
It stands for what comes back, and goes as real time does while a stream to somebody else is open, or when what is under
way does not come back.
"""

from __future__ import annotations

import math
import os
import selectors
import socket
import stat
import time
from typing import Any

# Seconds of real time for what is under way outside; then it counts as hanging, and time goes on as it really does:
# a deadline of the talk's own must be met.
PATIENCE = 10.0

_Ready = list[tuple[selectors.SelectorKey, int]]


class JumpingSelector(selectors.DefaultSelector):
    """``under_way`` counts what is done outside; ``speed``: seconds of its time in one of real time, at most."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.under_way = 0  # outside of the loop
        self.now = 0.0  # seconds
        self._speed = speed
        self._began = time.monotonic()  # real seconds
        self._streams: set[int] = set()  # file descriptors of all that carries no datagrams
        self._waiting_since: float | None = None  # real seconds, for what is under way

    def ignore_registered(self) -> None:
        """What the loop wakes itself with is nobody else's."""
        self._streams.clear()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if not _is_datagram_socket(key.fd):
            self._streams.add(key.fd)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self._streams.discard(key.fd)
        return key

    def select(self, timeout: float | None = None) -> _Ready:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.under_way:
            return self._wait_outside(timeout)
        self._waiting_since = None
        if self._is_connected():
            # Nobody knows whether an answer is due, or when.
            return self._wait_really(timeout)
        if timeout is None:
            return super().select(None)
        return self._jump(timeout)

    def _is_connected(self) -> bool:
        """To anybody outside of this loop. A server of this loop that waits for its clients is not."""
        if not self._streams:
            return False
        ends = [_ends_of(descriptor) for descriptor in self._streams if not _listens(descriptor)]
        ours = {own for own, _ in ends if own}
        return any(other not in ours for _, other in ends)

    def _jump(self, timeout: float) -> _Ready:
        ready: _Ready = []
        if (early := self._early(timeout)) > 0:
            before = time.monotonic()
            ready = super().select(early)
            if ready:
                timeout = min(timeout, (time.monotonic() - before) * self._speed)
        self.now += timeout
        return ready

    def _early(self, timeout: float) -> float:
        """Real seconds until so much more may have passed."""
        if math.isinf(self._speed):
            return 0.0
        return self._began + (self.now + timeout) / self._speed - time.monotonic()

    def _wait_outside(self, timeout: float | None) -> _Ready:
        before = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = before
        patience = self._waiting_since + PATIENCE - before
        return super().select(patience) if patience > 0 else self._wait_really(timeout)

    def _wait_really(self, timeout: float | None) -> _Ready:
        before = time.monotonic()
        ready = super().select(timeout)
        passed = time.monotonic() - before
        self.now += passed if timeout is None else min(passed, timeout) if ready else timeout
        return ready


def _is_datagram_socket(descriptor: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with _socket_of(descriptor) as same:
        return same.type == socket.SOCK_DGRAM


def _ends_of(descriptor: int) -> tuple[object, object]:
    """Its own address and the other end's. That of a pipe, and of what is not connected yet, is None."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return None, None
    with _socket_of(descriptor) as same:
        try:
            return same.getsockname(), same.getpeername()
        except OSError:
            return same.getsockname(), None


def _socket_of(descriptor: int) -> socket.socket:
    return socket.socket(fileno=os.dup(descriptor))


def _listens(descriptor: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with _socket_of(descriptor) as same:
        return bool(same.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
