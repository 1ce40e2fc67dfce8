"""Which audio lines of an offer the server speaks on and listens to.

Law: one of each at most, the same if there is one that goes both ways; what nobody reads is not accepted, for aiortc
would decode it into a queue that nobody empties.
"""

from __future__ import annotations

from aiortc import RTCPeerConnection, RTCRtpTransceiver

from couchvoice.transports.peer import offered_direction

_SPEAKS = ("sendrecv", "sendonly")  # directions as this end sees them
_LISTENS = ("sendrecv", "recvonly")
_BOTH = "sendrecv"
_DIRECTIONS = {(True, True): _BOTH, (True, False): "sendonly", (False, True): "recvonly", (False, False): "inactive"}


def choose_lines(peer: RTCPeerConnection) -> tuple[RTCRtpTransceiver | None, RTCRtpTransceiver | None]:
    """The lines for the mouth and for the ear, and all directions set. To be called when the offer is taken."""
    audio = [line for line in peer.getTransceivers() if line.kind == "audio"]
    audio.sort(key=lambda line: offered_direction(line) != _BOTH)
    mouth = next((line for line in audio if offered_direction(line) in _SPEAKS), None)
    ear = next((line for line in audio if offered_direction(line) in _LISTENS), None)
    for line in peer.getTransceivers():
        line.direction = _DIRECTIONS[line is mouth, line is ear]
    return mouth, ear
