"""Waiting for what nobody announces: looked at again and again, for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WAIT = 5.0  # seconds: for anything at all
LOOK_AGAIN = 0.01  # seconds


async def until(seen: Callable[[], object], *, within: float = WAIT) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not seen():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(LOOK_AGAIN)
