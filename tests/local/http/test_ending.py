"""The server's end reaches the requests that wait, and only those."""

from __future__ import annotations

import asyncio

import pytest

from couchvoice.local.http.ending import Ending
from couchvoice.local.http.refusals import Refused

SHORT = 0.001  # seconds


async def wait_for_ever(ending: Ending, *, within: float | None = None) -> None:
    async with ending.wait(within=within):
        await asyncio.Event().wait()


async def test_a_wait_is_refused_when_the_end_begins() -> None:
    ending = Ending()
    waiting = asyncio.ensure_future(wait_for_ever(ending))
    await asyncio.sleep(0)  # it waits now
    ending.begin()
    ending.begin()
    with pytest.raises(Refused) as refused:
        await waiting
    assert (refused.value.status, refused.value.code) == (503, "shutting_down")


async def test_no_wait_begins_after_the_end_has() -> None:
    ending = Ending()
    ending.begin()
    with pytest.raises(Refused):
        await wait_for_ever(ending)


async def test_a_wait_has_its_own_bound() -> None:
    with pytest.raises(TimeoutError):
        await wait_for_ever(Ending(), within=SHORT)


async def test_a_wait_that_was_long_enough_is_left_alone() -> None:
    ending = Ending()
    async with ending.wait(within=SHORT):
        pass
    ending.begin()


async def test_who_is_cut_off_is_not_told_that_the_server_ends() -> None:
    waiting = asyncio.ensure_future(wait_for_ever(Ending()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
