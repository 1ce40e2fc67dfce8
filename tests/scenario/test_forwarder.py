"""The forwarder between real peers of aiortc, and between a talk and the local server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.notices import TurnRecorded
from couchvoice.embedded import embedded_ends
from couchvoice.errors import ConnectTimeout, NegotiationFailed
from couchvoice.scenario.forwarder import Direction, Forwarder
from couchvoice.scenario.named_weather import weather_named
from couchvoice.scenario.weather import Weather
from couchvoice.settings import load_settings
from couchvoice.transports import webrtc
from couchvoice.transports.peer import new_peer_connection, prepare_to_gather

WAIT = 10.0  # seconds
MESSAGES = 50
DELAY = 0.1  # seconds
SHORT = 0.3  # seconds


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
async def connected(network: Forwarder) -> AsyncIterator[Echoed]:
    offerer, answerer = new_peer_connection(), new_peer_connection()
    echoed = Echoed(offerer, answerer)

    async def answer_to(offer: str) -> str:
        await answerer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        prepare_to_gather(answerer)
        await answerer.setLocalDescription(await answerer.createAnswer())
        return str(answerer.localDescription.sdp)

    prepare_to_gather(offerer)
    await offerer.setLocalDescription(await offerer.createOffer())
    answer = await network.introduce(offerer.localDescription.sdp, answer_to)
    await offerer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.timeout(WAIT):
        await echoed.opened.wait()
    try:
        yield echoed
    finally:
        await asyncio.gather(offerer.close(), answerer.close())


@asynccontextmanager
async def talking(network: Forwarder, **options: Any) -> AsyncIterator[VoiceSession]:
    async with (
        embedded_ends(load_settings()) as ends,
        VoiceSession(
            Endpoints(**ends._asdict(), network=network), source=SilentSource(), sink=NullSink(), **options
        ) as session,
    ):
        yield session


@pytest.mark.row("P9")
async def test_all_that_peers_say_comes_through_and_takes_as_long_as_the_weather_says() -> None:
    async with Forwarder(seed=1) as network, connected(network) as echoed:
        texts = [str(number) for number in range(MESSAGES)]
        network.change(Weather(loss=0.05, duplicated=0.1, reordered=0.1), Direction.UP)
        assert await echoed.say(*texts) == texts
        assert network.up.lost > 0
        assert network.up.duplicated > 0
        assert network.down.lost == 0

        clock = asyncio.get_running_loop().time
        network.change(Weather(delay=DELAY))
        began = clock()
        await echoed.say("late")
        assert clock() - began >= 2 * DELAY


@pytest.mark.row("P9")
@pytest.mark.parametrize("direction", Direction)
async def test_a_blackhole_may_swallow_one_direction_only_and_what_it_held_up_comes_when_it_is_over(
    direction: Direction,
) -> None:
    async with Forwarder(seed=1) as network, connected(network) as echoed:
        network.change(weather_named("blackhole"), direction)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DELAY):
                await echoed.say("not heard yet")
        assert (network.up.lost > 0) is (direction is not Direction.DOWN)
        assert (network.down.lost > 0) is (direction is Direction.DOWN)
        network.change(weather_named("clear"))
        async with asyncio.timeout(WAIT):
            assert await echoed.came.get() == "not heard yet"


@pytest.mark.row("P9")
async def test_a_slow_link_takes_its_time() -> None:
    async with Forwarder(seed=1) as network, connected(network) as echoed:
        network.change(Weather(rate=200_000, queue=WAIT), Direction.UP)
        clock = asyncio.get_running_loop().time
        began = clock()
        await echoed.say("x" * 10_000)
        assert clock() - began >= 10_000 * 8 / 200_000


@pytest.mark.row("P9")
async def test_a_talk_is_held_through_bad_weather_in_both_directions() -> None:
    async with Forwarder(seed=4) as network, talking(network) as session:
        network.change(weather_named("heavy_loss", loss=0.2, delay=0.02, jitter=0.005))
        session.send_message("Thank you very much.")
        turn = next(iter([notice.turn async for notice in session if _ends(session, notice)]))
        assert (turn.assistant_text, turn.outcome.value) == ("You are welcome.", "completed")
        assert network.up.lost > 0
        assert network.down.lost > 0
        assert session.playout is not None
        assert session.playout.lost_packets > 0


def _ends(session: VoiceSession, notice: object) -> bool:
    if isinstance(notice, TurnRecorded):
        session.hang_up()
        return True
    return False


@pytest.mark.row("P9")
async def test_with_udp_blocked_the_talk_says_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    async with Forwarder(weather_named("blackhole"), seed=1) as network:
        with pytest.raises(ConnectTimeout, match="no open data channel"):
            async with talking(network):
                pass
        assert network.up.lost == network.up.sent > 0


async def test_two_calls_share_one_weather() -> None:
    async with Forwarder(seed=1) as network, connected(network) as one, connected(network) as other:
        network.change(weather_named("blackhole"))
        for echoed in (one, other):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(DELAY):
                    await echoed.say("never heard")


@pytest.mark.parametrize(("offer", "answer", "told"), [("", "", "the offer"), ("127.0.0.1", "fd00::2", "the answer")])
async def test_a_description_without_a_candidate_is_refused(offer: str, answer: str, told: str) -> None:
    async def post(_: str) -> str:
        return f"v=0\r\na=candidate:1 1 udp 1 {answer} 9 typ host\r\n"

    async with Forwarder(seed=1) as network:
        with pytest.raises(NegotiationFailed, match=f"{told} has no host candidate"):
            await network.introduce(
                f"v=0\r\na=candidate:1 1 udp 1 {offer} 9 typ host\r\n" if offer else "v=0\r\n", post
            )
