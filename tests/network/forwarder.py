"""A UDP forwarder between two WebRTC peers on loopback, which have weather between them.

It stands in both descriptions as the only candidate, so that all that the peers say to each other comes through here.
Law: each direction is a Passage with a weather and a seed of its own, and can be changed while packets flow; without
weather a packet is sent on at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.network.weather import Passage, Weather

LOOPBACK = "127.0.0.1"

_COMPONENT_RTP = "1"
_FOUNDATION_AND_PRIORITY = "candidate:1 1 udp 2130706431"

Address = tuple[str, int]


class Forwarder:
    """``async with Forwarder(weather, seed=1) as forwarder`` and hand the descriptions through it, offer first.

    ``there`` is the direction from the offerer to the answerer, ``back`` the other one.
    """

    def __init__(self, weather: Weather, *, seed: int) -> None:
        self.there = Passage(weather, seed=seed)
        self.back = Passage(weather, seed=seed + 1)
        self._offerer = _Door()
        self._answerer = _Door()

    async def __aenter__(self) -> Forwarder:
        await self._offerer.open(self._answerer, self.there)
        await self._answerer.open(self._offerer, self.back)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._offerer.close()
        self._answerer.close()

    def offer(self, sdp: str) -> str:
        """The offer as the answerer shall see it. Raises ValueError if it has no candidate that can be reached."""
        self._offerer.peer = _candidate(sdp)
        return _with_candidate(sdp, self._answerer.address)

    def answer(self, sdp: str) -> str:
        """The answer as the offerer shall see it. Raises ValueError if it has no candidate that can be reached."""
        self._answerer.peer = _candidate(sdp)
        return _with_candidate(sdp, self._offerer.address)


class _Door(asyncio.DatagramProtocol):
    """The socket that one peer knows; what this peer sends leaves by the other door."""

    def __init__(self) -> None:
        self.peer: Address | None = None
        self._other: _Door
        self._passage: Passage
        self._transport: asyncio.DatagramTransport

    async def open(self, other: _Door, passage: Passage) -> None:
        self._other, self._passage = other, passage
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(LOOPBACK, 0))

    @property
    def address(self) -> Address:
        address: Address = self._transport.get_extra_info("sockname")
        return address

    def close(self) -> None:
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
                loop.call_at(arrives, self._other.send, data)

    def send(self, data: bytes) -> None:
        if self.peer is not None and not self._transport.is_closing():
            self._transport.sendto(data, self.peer)


def _candidate(sdp: str) -> Address:
    """The first host candidate by UDP and IPv4. RFC 8839 §5.1."""
    for line in sdp.splitlines():
        match line.split():
            case [first, component, protocol, _, host, port, "typ", "host", *_] if first.startswith("a=candidate:"):
                if component == _COMPONENT_RTP and protocol.lower() == "udp" and ":" not in host:
                    return host, int(port)
    raise ValueError("the description has no host candidate of IPv4: gather before you hand it on")


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
