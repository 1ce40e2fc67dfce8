"""What is to be sent to one client and has not been taken yet.

Law: bounded. Speech waits for room before it is made; a client that lets more than LIMIT pile up all the same is slow
beyond help.
"""

from __future__ import annotations

import asyncio
from collections import deque

ROOM = 1024 * 1024  # characters that may wait when more speech is made: 16 s of audio/pcm in base64
LIMIT = 16 * 1024 * 1024  # characters; what is long is base64, a byte each


class SendQueue:
    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._waiting = 0  # characters
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._all_taken = asyncio.Event()

    def put(self, text: str) -> bool:
        """False, and it is not taken, when the queue is full."""
        if self._waiting + len(text) > LIMIT:
            return False
        self._texts.append(text)
        self._all_taken.clear()
        self._count(len(text))
        return True

    async def get(self) -> str:
        """The oldest text, when there is one. Who asks has done with the one before."""
        if not self._texts:
            self._all_taken.set()
        await self._some.wait()
        text = self._texts.popleft()
        self._count(-len(text))
        return text

    async def empty(self) -> None:
        """Return when all is taken and done with."""
        await self._all_taken.wait()

    async def room(self) -> None:
        """Return when less than ROOM is waiting."""
        await self._room.wait()

    def _count(self, change: int) -> None:
        self._waiting += change
        for event, holds in ((self._some, bool(self._texts)), (self._room, self._waiting < ROOM)):
            if holds:
                event.set()
            else:
                event.clear()
