"""The forwarder between real peers of aiortc."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from couchvoice.transports.peer import new_peer_connection, prepare_to_gather
from tests.network.forwarder import Forwarder
from tests.network.weather import Weather

WAIT = 10.0  # seconds
MESSAGES = 50
DELAY = 0.1  # seconds


class Echoed:
    """A channel of one peer whose messages the other peer sends back."""

    def __init__(self, offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
        self.came: asyncio.Queue[str] = asyncio.Queue()
        self.opened = asyncio.Event()
        self._channel = offerer.createDataChannel("echo")
        self._channel.on("open", self.opened.set)
        self._channel.on("message", self.came.put_nowait)
        answerer.on("datachannel", self._echo)

    async def say(self, *texts: str) -> list[str]:
        for text in texts:
            self._channel.send(text)
        async with asyncio.timeout(WAIT):
            return [await self.came.get() for _ in texts]

    @staticmethod
    def _echo(channel: RTCDataChannel) -> None:
        channel.on("message", channel.send)


@asynccontextmanager
async def connected(forwarder: Forwarder) -> AsyncIterator[Echoed]:
    offerer, answerer = new_peer_connection(), new_peer_connection()
    echoed = Echoed(offerer, answerer)
    prepare_to_gather(offerer)
    await offerer.setLocalDescription(await offerer.createOffer())
    offer = forwarder.offer(offerer.localDescription.sdp)
    await answerer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    prepare_to_gather(answerer)
    await answerer.setLocalDescription(await answerer.createAnswer())
    answer = forwarder.answer(answerer.localDescription.sdp)
    await offerer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.timeout(WAIT):
        await echoed.opened.wait()
    yield echoed
    await asyncio.gather(offerer.close(), answerer.close())


async def test_all_that_peers_say_comes_through_and_takes_as_long_as_the_weather_says() -> None:
    async with Forwarder(Weather(), seed=1) as forwarder, connected(forwarder) as echoed:
        texts = [str(number) for number in range(MESSAGES)]
        forwarder.there.weather = Weather(loss=0.05, duplicated=0.1, reordered=0.1)
        assert await echoed.say(*texts) == texts

        clock = asyncio.get_running_loop().time
        forwarder.there.weather = forwarder.back.weather = Weather(delay=DELAY)
        began = clock()
        await echoed.say("late")
        assert clock() - began >= 2 * DELAY

        forwarder.back.weather = Weather(loss=1.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DELAY):
                await echoed.say("never heard")
        forwarder.back.weather = Weather()
        async with asyncio.timeout(WAIT):
            assert await echoed.came.get() == "never heard"


async def test_a_description_without_a_candidate_is_refused() -> None:
    async with Forwarder(Weather(), seed=1) as forwarder:
        with pytest.raises(ValueError, match="no host candidate"):
            forwarder.offer("v=0\r\na=candidate:1 1 udp 1 fd00::2 9 typ host\r\n")
