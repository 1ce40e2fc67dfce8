"""The media clock: an event loop whose time jumps to its next timer as soon as nothing is left to do.

Both ends of a scripted talk live on one loop, so a talk of a minute takes as long as the machine needs for its
packets. Law: time goes on only when no socket is readable, no callback is due, and nothing is under way outside of the
loop (a thread, a child, a stream to somebody else), so what happens, and in which order, is what happens in real time.
Whatever is measured on this loop is media time: computing takes none of it.
"""

from __future__ import annotations

import asyncio
import math
import os
import selectors
import socket
import stat
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

from couchvoice.errors import ConfigError
from couchvoice.settings import Settings

REAL_TIME = 1.0
# Seconds of real time for what is under way outside; then it counts as hanging, and time goes on as it really does:
# a deadline of the talk's own must be met.
PATIENCE = 10.0

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")
_Ready = list[tuple[selectors.SelectorKey, int]]


def run(main: Coroutine[Any, Any, _Result], *, speed: float | None = None) -> _Result:
    """Like ``asyncio.run``, with at most ``speed`` seconds of the loop's time in one of real time; None: no limit.

    At 1 it is real time, on an ordinary loop. Raises ConfigError for less.
    """
    if speed is not None and not speed >= REAL_TIME:
        main.close()
        raise ConfigError(f"--speed {speed:g}: write a number from 1 (real time) on")
    if speed == REAL_TIME:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=lambda: MediaClockLoop(speed=speed or math.inf)) as runner:
        return runner.run(main)


def chosen_speed(settings: Settings, asked: float | None) -> float | None:
    """The speed for ``run``: None, no limit, where both ends are in this process, else real time.

    Raises ConfigError when another is asked for than the ends can keep up with.
    """
    elsewhere = _end_elsewhere(settings)
    if elsewhere is None:
        return asked
    if asked not in (None, REAL_TIME):
        raise ConfigError(
            f"--speed {asked:g}: {elsewhere} lives in real time; leave --speed out, or use both embedded ends"
        )
    return REAL_TIME


def _end_elsewhere(settings: Settings) -> str | None:
    if settings.backend_url is not None:
        return f"the backend {settings.backend_url}"
    if settings.realtime_url is not None:
        return f"the provider at {settings.realtime_url}"
    if (settings.provider or "local") != "local":
        return f"the provider {settings.provider}"
    return None


class MediaClockLoop(asyncio.SelectorEventLoop):
    """``speed``: seconds of its time in one of real time, at most."""

    def __init__(self, *, speed: float = math.inf) -> None:
        self._clock = _MediaClock(speed)
        super().__init__(self._clock)
        self._clock.ignore_registered()

    def time(self) -> float:
        return self._clock.time()

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """As KeepsTime has it."""
        self._clock.begin_real_time()
        try:
            yield
        finally:
            self._clock.end_real_time()

    @contextmanager
    def outside_work(self) -> Iterator[None]:
        """As KeepsTime has it."""
        self._clock.under_way += 1
        try:
            yield
        finally:
            self._clock.under_way -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*_Arguments], _Result], *args: *_Arguments
    ) -> asyncio.Future[_Result]:
        future = super().run_in_executor(executor, func, *args)
        self._clock.under_way += 1
        future.add_done_callback(self._is_back)
        return future

    def _is_back(self, _: asyncio.Future[Any]) -> None:
        self._clock.under_way -= 1

    # A child is known by its pipes, but its exit is told later than they close, by a thread (until Python 3.12).

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        with self.outside_work():
            return self._until_exit(await super().subprocess_exec(*args, **kwargs))

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        with self.outside_work():
            return self._until_exit(await super().subprocess_shell(*args, **kwargs))

    def _until_exit(self, child: tuple[Any, Any]) -> tuple[Any, Any]:
        transport, protocol = child
        if transport.get_returncode() is not None:
            return child
        exited = protocol.process_exited

        def process_exited() -> None:
            self._clock.under_way -= 1
            exited()

        self._clock.under_way += 1
        protocol.process_exited = process_exited
        return child

    async def shutdown_default_executor(self, *arguments: Any, **options: Any) -> None:
        with self.outside_work():
            await super().shutdown_default_executor(*arguments, **options)


class _MediaClock(selectors.DefaultSelector):
    """The loop's selector, where a loop waits: so it is here that time goes on."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.under_way = 0  # outside of the loop
        self._now = 0.0  # seconds
        self._speed = speed
        self._began = time.monotonic()  # real seconds
        self._real_times = 0  # that were begun and have not ended
        self._ahead = 0.0  # seconds before the real clock, in real time
        self._streams: set[int] = set()  # file descriptors of what somebody else may write to
        self._waiting_since: float | None = None  # real seconds, for what is under way

    def time(self) -> float:
        return time.monotonic() + self._ahead if self._real_times else self._now

    def begin_real_time(self) -> None:
        if not self._real_times:
            self._ahead = self._now - time.monotonic()
        self._real_times += 1

    def end_real_time(self) -> None:
        self._now = self.time()
        self._real_times -= 1

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
        if self._real_times:
            return super().select(timeout)
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.under_way or self._streams:
            return self._wait_outside(timeout)
        self._waiting_since = None
        if timeout is None:
            return super().select(None)
        return self._jump(timeout)

    def _jump(self, timeout: float) -> _Ready:
        ready: _Ready = []
        if (early := self._early(timeout)) > 0:
            before = time.monotonic()
            ready = super().select(early)
            if ready:
                timeout = min(timeout, (time.monotonic() - before) * self._speed)
        self._now += timeout
        return ready

    def _early(self, timeout: float) -> float:
        """Real seconds until so much more may have passed."""
        if math.isinf(self._speed):
            return 0.0
        return self._began + (self._now + timeout) / self._speed - time.monotonic()

    def _wait_outside(self, timeout: float | None) -> _Ready:
        before = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = before
        patience = self._waiting_since + PATIENCE - before
        if patience > 0:
            ready = super().select(patience)
        else:
            ready = super().select(timeout)
            passed = time.monotonic() - before
            self._now += passed if timeout is None else min(passed, timeout) if ready else timeout
        return ready


def _is_datagram_socket(descriptor: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as same:
        return same.type == socket.SOCK_DGRAM
