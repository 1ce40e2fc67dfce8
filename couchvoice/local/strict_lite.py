"""Strict ICE-lite consent: the server answers as OpenAI's ends are reported to.

Not ICE-lite as such (RFC 8445 §2.5): the server still gathers and checks like a full agent. Law: once a pair is
nominated, a Binding request without USE-CANDIDATE gets no answer, so that a client whose consent checks lack it
loses the call when its consent expires (RFC 7675 §5.1).
"""

from __future__ import annotations

from typing import Any

from aiortc import RTCPeerConnection


def answer_only_nominations(peer: RTCPeerConnection) -> None:
    """To be called when the description is set and its transports are known."""
    for transceiver in peer.getTransceivers():
        _be_strict(transceiver.sender.transport.transport._connection)
    if peer.sctp is not None:
        _be_strict(peer.sctp.transport.transport._connection)


def _be_strict(connection: Any) -> None:
    receive = connection.request_received

    def receive_nominations(message: Any, addr: tuple[str, int], protocol: Any) -> None:
        if "USE-CANDIDATE" in message.attributes or not connection._nominated:
            receive(message, addr, protocol)

    connection.request_received = receive_nominations
