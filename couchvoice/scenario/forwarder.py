"""A UDP forwarder between two WebRTC peers on loopback, which have weather between them. It needs no root.

    async with Forwarder(weather_named("mobile"), seed=1) as network:
        endpoints = Endpoints(backend_url=…, network=network)

It stands in both descriptions as the only candidate, so that all that the peers say to each other comes through here.
Law: each direction is a Passage with a weather and a seed of its own, and can be changed while packets flow; without
weather a packet is sent on at once. It knows no clock but the loop's.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
from typing import Any

from couchvoice.errors import NegotiationFailed
from couchvoice.scenario.weather import Passage, Weather
from couchvoice.transports.network import Post

LOOPBACK = "127.0.0.1"

_COMPONENT_RTP = "1"
_FOUNDATION_AND_PRIORITY = "candidate:1 1 udp 2130706431"

Address = tuple[str, int]


class Direction(enum.Enum):
    """Which way the weather is, as who called sees it."""

    BOTH = "both"
    UP = "up"  # from the caller to the provider
    DOWN = "down"  # from the provider to the caller


class Forwarder:
    """The Network of any number of calls, which share its two directions. Closed when the context is left."""

    def __init__(self, weather: Weather | None = None, *, seed: int) -> None:
        self.up = Passage(weather or Weather(), seed=seed)
        self.down = Passage(weather or Weather(), seed=seed + 1)
        self._doors: list[_Door] = []

    async def __aenter__(self) -> Forwarder:
        return self

    async def __aexit__(self, *_: object) -> None:
        for door in self._doors:
            door.close()

    def change(self, weather: Weather, direction: Direction = Direction.BOTH) -> None:
        """It counts for what is sent from now on."""
        if direction is not Direction.DOWN:
            self.up.weather = weather
        if direction is not Direction.UP:
            self.down.weather = weather

    async def introduce(self, offer: str, post: Post) -> str:
        """As Network has it. Raises NegotiationFailed for a description without a candidate that can be reached."""
        caller, provider = _Door(), _Door()
        self._doors += caller, provider
        await caller.open(provider, self.up)
        await provider.open(caller, self.down)
        caller.peer = _candidate(offer, "offer")
        answer = await post(_with_candidate(offer, provider.address))
        provider.peer = _candidate(answer, "answer")
        return _with_candidate(answer, caller.address)


class _Door(asyncio.DatagramProtocol):
    """The socket that one peer knows; what this peer sends leaves by the other door."""

    def __init__(self) -> None:
        self.peer: Address | None = None
        self._other: _Door
        self._passage: Passage
        self._transport: asyncio.DatagramTransport | None = None
        self._late: list[tuple[float, int, bytes]] = []  # a heap: timers of one moment fire in any order

    async def open(self, other: _Door, passage: Passage) -> None:
        self._other, self._passage = other, passage
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(LOOPBACK, 0))

    @property
    def address(self) -> Address:
        assert self._transport is not None  # asked for when it is open
        address: Address = self._transport.get_extra_info("sockname")
        return address

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, address: Any) -> None:
        # A peer tries from all its addresses; answers would find their way to one of them only.
        if address != self.peer:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        for arrives in self._passage.send(len(data), now=now):
            if arrives <= now:
                self._other.send(data)
            else:
                heapq.heappush(self._late, (arrives, self._passage.sent, data))
                loop.call_at(arrives, self._deliver)

    def send(self, data: bytes) -> None:
        if self.peer is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, self.peer)

    def _deliver(self) -> None:
        self._other.send(heapq.heappop(self._late)[-1])


def _candidate(sdp: str, what: str) -> Address:
    """The first host candidate by UDP and IPv4. RFC 8839 §5.1."""
    for line in sdp.splitlines():
        match line.split():
            case [first, component, protocol, _, host, port, "typ", "host", *_] if first.startswith("a=candidate:"):
                if component == _COMPONENT_RTP and protocol.lower() == "udp" and ":" not in host:
                    return host, int(port)
    raise NegotiationFailed(f"the {what} has no host candidate of IPv4, which network weather needs")


def _with_candidate(sdp: str, address: Address) -> str:
    """In each media section this one and no other."""
    host, port = address
    ours = f"a={_FOUNDATION_AND_PRIORITY} {host} {port} typ host\r\n"
    lines: list[str] = []
    for line in sdp.splitlines(keepends=True):
        if not line.startswith(("a=candidate:", "a=end-of-candidates")):
            lines.append(line)
        elif not lines[-1].startswith("a=candidate:"):
            lines.append(ours)
    return "".join(lines)
