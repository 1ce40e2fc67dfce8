"""What two ends agree on about Opus, in the words of RFC 7587: aiortc neither says it nor keeps it.

Law: a description is changed only on its way out (aiortc goes on from its own); FEC is sent to whoever asks for it,
and to nobody else: who does not ask cannot use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpSender, RTCRtpTransceiver
from aiortc.sdp import SessionDescription

# RFC 7587 §6.1: "useinbandfec" says that this end's decoder makes use of FEC, "minptime" which packets it takes at
# least: both as every browser says them.
_PARAMETERS = "minptime=10;useinbandfec=1"
_RTPMAP = "a=rtpmap:"
_OPUS = "opus/48000/2"  # RFC 7587 §7: of every stream, mono or stereo
_FRACTION = 256  # RFC 3550 §6.4.1: fraction lost is "a fixed point number with the binary point at the left edge"


@dataclass(frozen=True, slots=True)
class OpusFormat:
    """``fec``: the far end asks for it."""

    fec: bool


def with_inband_fec(sdp: str) -> str:
    """Our description as it is sent: without it no far end sends us FEC (Chromium: 0 of 547 packets)."""
    lines = []
    for line in sdp.splitlines(keepends=True):
        lines.append(line)
        payload_type, _, encoding = line.removeprefix(_RTPMAP).strip().partition(" ")
        if line.startswith(_RTPMAP) and encoding.lower() == _OPUS and f"a=fmtp:{payload_type} " not in sdp:
            end = line[len(line.rstrip()) :]
            lines.append(f"a=fmtp:{payload_type} {_PARAMETERS}{end}")
    return "".join(lines)


def agreed_opus(peer: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> OpusFormat | None:
    """What this end sends on that line. None: it is not Opus. To be called when the far end's description is taken."""
    # The first codec that both ends have is the one that aiortc sends.
    sent = transceiver._codecs[0]
    if sent.mimeType.lower() != "audio/opus":
        return None
    for media in SessionDescription.parse(peer.remoteDescription.sdp).media:
        if media.rtp.muxId == transceiver.mid:
            for codec in media.rtp.codecs:
                if codec.payloadType == sent.payloadType:
                    return OpusFormat(fec=_asks_for_fec(codec.parameters))
    return OpusFormat(fec=False)


async def reported_loss(sender: RTCRtpSender) -> tuple[object, float] | None:
    """The far end's last report of what it missed: a mark that tells it from the one before, and the share, 0 to 1."""
    for stats in (await sender.getStats()).values():
        if stats.type == "remote-inbound-rtp":
            # W3C: "fractionLost" is a share. aiortc hands out the byte of the report.
            return stats.timestamp, stats.fractionLost / _FRACTION
    return None


def _asks_for_fec(parameters: dict[str, Any]) -> bool:
    # "minptime=10; useinbandfec=1" is written as well.
    return any(name.strip() == "useinbandfec" and str(value).strip() == "1" for name, value in parameters.items())
