"""Caller: bare aiortc that costs next to nothing, so that one core of callers can load one core of server.

It sends packets that were encoded before, and takes the time of what comes by the kernel's clock (Linux only): its own
delays are in no figure. RTP goes no further than that: nobody decrypts or decodes it. What is sound is told by its
size. Law: it shares no code with couchvoice.
"""

from __future__ import annotations

import asyncio
import fcntl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import httpx
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.bench.hum import RATE, Hum

KEY = {"Authorization": "Bearer bench", "Content-Type": "application/sdp"}
OPEN_TIMEOUT = 15.0  # seconds

_SIOCGSTAMP = 0x8906  # "when did the last datagram come that was read from this socket?"
_STAMP = struct.Struct("@ll")  # seconds, microseconds
_FIRST_RTP, _FIRST_NO_RTP = 128, 192  # RFC 7983 §7: the first byte
_FIRST_RTCP, _FIRST_NO_RTCP = 192, 224  # RFC 5761 §4: the second byte
_TIMESTAMP = slice(4, 8)
_WRAP = 2**32


@dataclass(frozen=True, slots=True)
class Arrival:
    """An RTP packet: ``at`` is a time of time.time(), ``timestamp`` counts from the first one, ``size`` is in bytes."""

    at: float
    timestamp: int
    size: int

    @property
    def offset(self) -> float:
        """Seconds; the smallest one of a call is that of a packet that came on time."""
        return self.at - self.timestamp / RATE


class PacketTrack(MediaStreamTrack):
    """The packets over and over, from ``first`` on; ``marks`` are the times at which packet ``mark`` was sent."""

    kind = "audio"

    def __init__(self, packets: list[bytes], first: int, mark: int) -> None:
        super().__init__()
        self.marks: list[float] = []
        self._pace = Hum()
        self._packets = packets
        self._next = first % len(packets)
        self._mark = mark

    async def recv(self) -> av.Packet[Any]:
        await self._pace.next()
        packet = av.Packet(self._packets[self._next])
        packet.time_base, packet.pts = Fraction(1, RATE), self._pace.count
        if self._next == self._mark:
            self.marks.append(time.time())
        self._next = (self._next + 1) % len(self._packets)
        return packet


class Caller:
    """``connect``, then ``messages`` has the texts that come."""

    def __init__(self, packets: list[bytes], *, first: int = 0, mark: int = 0) -> None:
        self.arrivals: list[Arrival] = []
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.track = PacketTrack(packets, first, mark)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel = self._peer.createDataChannel("oai-events")
        self._channel.on("message", self.messages.put_nowait)

    async def connect(self, http: httpx.AsyncClient, url: str) -> None:
        """Return when the channel is open."""
        opened = asyncio.Event()
        self._channel.on("open", opened.set)
        self._peer.addTrack(self.track)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        self._tap()
        reply = await http.post(url, content=self._peer.localDescription.sdp, headers=KEY)
        reply.raise_for_status()
        await self._peer.setRemoteDescription(RTCSessionDescription(reply.text, "answer"))
        async with asyncio.timeout(OPEN_TIMEOUT):
            await opened.wait()

    def send(self, text: str) -> None:
        self._channel.send(text)

    async def close(self) -> None:
        await self._peer.close()

    def late_since(self, since: float) -> Iterator[float]:
        """Of each packet that has come since: how many seconds after its time on the call's own timeline."""
        on_time = min((arrival.offset for arrival in self.arrivals), default=0.0)
        return (arrival.offset - on_time for arrival in self.arrivals if arrival.at >= since)

    def _tap(self) -> None:
        transport: Any = self._peer.getTransceivers()[0].sender.transport.transport
        for protocol in transport._connection._protocols:
            self._tap_socket(protocol)

    def _tap_socket(self, protocol: Any) -> None:
        receive, socket = protocol.datagram_received, protocol.transport.get_extra_info("socket")
        origin: int | None = None

        def note(message: bytes, address: Any) -> None:
            nonlocal origin
            if not _is_rtp(message):
                receive(message, address)
                return
            timestamp = int.from_bytes(message[_TIMESTAMP])
            origin = timestamp if origin is None else origin
            seconds, micros = _STAMP.unpack(fcntl.ioctl(socket.fileno(), _SIOCGSTAMP, bytes(_STAMP.size)))
            self.arrivals.append(Arrival(seconds + micros / 1e6, (timestamp - origin) % _WRAP, len(message)))

        protocol.datagram_received = note


def _is_rtp(message: bytes) -> bool:
    return _FIRST_RTP <= message[0] < _FIRST_NO_RTP and not _FIRST_RTCP <= message[1] < _FIRST_NO_RTCP
