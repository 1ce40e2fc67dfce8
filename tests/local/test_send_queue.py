"""What waits for a client: in order, bounded, and speech waits for room."""

from __future__ import annotations

import asyncio

from couchvoice.local.send_queue import LIMIT, ROOM, SendQueue


async def test_texts_come_out_in_the_order_in_which_they_went_in() -> None:
    queue = SendQueue()
    waiting = asyncio.ensure_future(queue.get())
    assert all(queue.put(text) for text in ("a", "b", "c"))
    assert [await waiting, await queue.get(), await queue.get()] == ["a", "b", "c"]


async def test_what_is_too_much_is_not_taken() -> None:
    queue = SendQueue()
    assert queue.put("x" * LIMIT)
    assert not queue.put("y")
    await queue.get()
    assert queue.put("y")


async def test_there_is_room_again_when_enough_was_taken() -> None:
    queue = SendQueue()
    await queue.room()
    for _ in range(2):
        queue.put("x" * ROOM)
    waiting = asyncio.ensure_future(queue.room())
    await queue.get()
    assert not waiting.done()
    await queue.get()
    await waiting
