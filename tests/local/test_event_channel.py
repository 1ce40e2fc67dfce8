"""Events on their way to a far end: what is too large, what waits, and that waiting never takes the loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection

from couchvoice.local import event_channel
from couchvoice.local.event_channel import MAX_EVENT, EventChannel
from couchvoice.transports.peer import prepare_to_gather
from tests.patience import until

EVENT = {"type": "error", "event_id": "event_1"}


@asynccontextmanager
async def channels() -> AsyncIterator[tuple[RTCDataChannel, RTCDataChannel]]:
    """Both ends of one, on loopback."""
    near, far = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    ours, theirs = (peer.createDataChannel("oai-events", negotiated=True, id=0) for peer in (near, far))
    prepare_to_gather(near)
    await near.setLocalDescription(await near.createOffer())
    await far.setRemoteDescription(near.localDescription)
    prepare_to_gather(far)
    await far.setLocalDescription(await far.createAnswer())
    await near.setRemoteDescription(far.localDescription)
    await until(lambda: ours.readyState == theirs.readyState == "open")
    yield ours, theirs
    await near.close()
    await far.close()


async def test_what_was_sent_is_taken_when_the_flush_is_over() -> None:
    async with channels() as (ours, theirs):
        heard: list[str] = []
        theirs.on("message", heard.append)
        events = EventChannel(ours)
        for _ in range(20):
            events.send(EVENT | {"text": "x" * 50_000})
        await events.flush()
        assert ours.bufferedAmount == 0
        assert len(heard) == 20


async def test_a_flush_while_more_is_sent_leaves_the_loop_to_others() -> None:
    """It spun when the buffer was filled again as it ran dry."""
    async with channels() as (ours, _):
        events = EventChannel(ours)
        ours.on("bufferedamountlow", lambda: events.send(EVENT | {"text": "x" * 50_000}))
        for _ in range(20):
            events.send(EVENT | {"text": "x" * 50_000})
        async with asyncio.timeout(5 * event_channel.FLUSH_TIMEOUT):
            await events.flush()


async def test_in_place_of_an_event_that_is_too_large_an_error_comes() -> None:
    async with channels() as (ours, theirs):
        heard: list[str] = []
        theirs.on("message", heard.append)
        assert EventChannel(ours).send(EVENT | {"text": "x" * MAX_EVENT})
        await until(lambda: bool(heard))
        assert json.loads(heard[0])["error"]["code"] == "event_too_large"
