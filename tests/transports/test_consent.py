"""Consent checks (RFC 7675) as ICE-lite ends want them. Our offering end against aiortc, on loopback."""

import asyncio

import aioice.ice
from aiortc import RTCPeerConnection

from couchvoice.transports.peer import DATA_CHANNEL_LABEL, new_peer_connection, prepare_to_gather


class Spy:
    """Counts the Binding requests that an end receives, by whether they carry USE-CANDIDATE."""

    def __init__(self, peer: RTCPeerConnection, enough: int) -> None:
        self.with_it = self.without_it = 0
        self.seen_enough = asyncio.Event()
        self._enough = enough
        connection = peer.sctp.transport.transport._connection
        self._receive = connection.request_received
        connection.request_received = self._request_received

    def _request_received(self, message, *rest):
        if "USE-CANDIDATE" in message.attributes:
            self.with_it += 1
        else:
            self.without_it += 1
        if self.with_it + self.without_it >= self._enough:
            self.seen_enough.set()
        self._receive(message, *rest)


async def test_every_consent_check_of_the_offering_end_nominates_again(monkeypatch):
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.01)
    offering, answering = new_peer_connection(), new_peer_connection()
    try:
        channel, opened = offering.createDataChannel(DATA_CHANNEL_LABEL), asyncio.Event()
        channel.on("open", opened.set)
        prepare_to_gather(offering)
        await offering.setLocalDescription(await offering.createOffer())
        await answering.setRemoteDescription(offering.localDescription)
        prepare_to_gather(answering)
        await answering.setLocalDescription(await answering.createAnswer())
        await offering.setRemoteDescription(answering.localDescription)
        await opened.wait()
        spy = Spy(answering, enough=5)
        await spy.seen_enough.wait()
        assert (spy.with_it >= 5, spy.without_it) == (True, 0)
    finally:
        await offering.close()
        await answering.close()
