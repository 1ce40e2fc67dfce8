"""The media clock: an event loop whose time jumps to its next timer as soon as nothing is left to do.

Both ends of a scripted talk live on one loop, so a talk of a minute takes as long as the machine needs for its
packets. Law: time jumps only when no socket is readable, no callback is due, and nothing is under way outside of the
loop (a thread, a child, a stream to somebody else), so what happens, and in which order, is what happens in real time.
Whatever is measured on this loop is media time: computing takes none of it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

from couchvoice.errors import ConfigError
from couchvoice.scenario.jumping_selector import JumpingSelector
from couchvoice.settings import Settings

REAL_TIME = 1.0

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


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
        self._clock = JumpingSelector(speed)
        super().__init__(self._clock)
        self._clock.ignore_registered()

    def time(self) -> float:
        return self._clock.now

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
