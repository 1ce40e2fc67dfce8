"""Sessions that come and go leave nothing: neither objects nor tasks nor descriptors, however many there were."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import httpx
import pytest
from aiortc import RTCPeerConnection

from couchvoice.local.mouth import Mouth
from couchvoice.local.peer import Call
from couchvoice.local.performer import Performer
from couchvoice.local.protocol.dialogue import Dialogue
from couchvoice.local.sideband import Sideband
from couchvoice.local.socket_line import SocketLine
from couchvoice.local.websocket import SocketSession
from tests.leftovers import nothing_left
from tests.local.caller import SDP, Caller, calling, served
from tests.local.serving import listening
from tests.local.socket_caller import conversing

CYCLES = 16
AT_ONCE = 8
# What a session is made of; the caller's own peer connection counts, too.
PARTS = (Call, Dialogue, Mouth, Performer, RTCPeerConnection, Sideband, SocketLine, SocketSession)


def living() -> Counter[str]:
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects() if isinstance(thing, PARTS))


@pytest.mark.timeout(60)
@pytest.mark.row("O5")
async def test_calls_that_came_and_went_leave_nothing() -> None:
    async with served() as http:

        async def call() -> None:
            async with calling(http):
                pass

        await call()  # whatever is made once
        before = living()
        async with nothing_left():
            for _ in range(CYCLES // AT_ONCE):
                await asyncio.gather(*(call() for _ in range(AT_ONCE)))
        assert living() - before == Counter()


@pytest.mark.timeout(60)
@pytest.mark.row("O6")
async def test_sessions_over_websocket_that_came_and_went_leave_nothing() -> None:
    async with listening() as place:

        async def converse() -> None:
            async with conversing(place):
                pass

        await converse()
        before = living()
        async with nothing_left():
            for _ in range(CYCLES // AT_ONCE):
                await asyncio.gather(*(converse() for _ in range(AT_ONCE)))
        assert living() - before == Counter()


@pytest.mark.timeout(60)
async def test_calls_that_nobody_opened_leave_nothing() -> None:
    async with served(connect_timeout=0.05) as http:
        before = living()
        async with nothing_left():
            for _ in range(CYCLES // AT_ONCE):
                await asyncio.gather(*(posted(http) for _ in range(AT_ONCE)))
        assert living() - before == Counter()


async def posted(http: httpx.AsyncClient) -> None:
    caller = Caller()
    assert (await http.post("/calls", content=await caller.offer(), headers=SDP)).status_code == 201
    await caller.close()
