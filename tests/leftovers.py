"""What a piece of code leaves behind: tasks, threads, file descriptors.

Law: what was there before does not count, and whatever is on its way out gets a moment to go.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.patience import until

GRACE = 2.0  # seconds

# Threads of the loop's default executor live as long as the loop, that of a recognizer as the engines that tests share,
# that of PortAudio as the library.
_LASTING = ("asyncio_", "couchvoice-hears", "couchvoice-cards")
_DESCRIPTORS = Path("/proc/self/fd")


class Leftovers:
    """Everything since it was made. Made on a running loop."""

    def __init__(self) -> None:
        self._tasks = asyncio.all_tasks()
        self._threads = set(threading.enumerate())
        self._descriptors = _descriptors()

    async def tasks(self) -> list[str]:
        await _give_grace(lambda: not self._new_tasks())
        return sorted(str(task) for task in self._new_tasks())

    async def threads(self) -> list[str]:
        await _give_grace(lambda: not self._new_threads())
        return sorted(thread.name for thread in self._new_threads())

    async def descriptors(self) -> list[str]:
        await _give_grace(lambda: _descriptors() <= self._descriptors)
        return sorted(_descriptors() - self._descriptors)

    def _new_tasks(self) -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - self._tasks

    def _new_threads(self) -> set[threading.Thread]:
        return {thread for thread in set(threading.enumerate()) - self._threads if not thread.name.startswith(_LASTING)}


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    leftovers = Leftovers()
    yield
    found = [*await leftovers.tasks(), *await leftovers.threads(), *await leftovers.descriptors()]
    assert found == []


async def _give_grace(gone: Callable[[], bool]) -> None:
    with suppress(TimeoutError):
        await until(gone, within=GRACE)


def _descriptors() -> set[str]:
    """Number and what it is open on: a number alone is soon used again."""
    found = set()
    for entry in _DESCRIPTORS.iterdir():
        try:
            found.add(f"{entry.name} {os.readlink(entry)}")
        except OSError:
            continue  # the one that listed them
    return found
