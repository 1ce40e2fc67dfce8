"""A tap on aiortc's receiver: Opus packets as they come off the wire, before its jitter buffer.

That buffer makes of each lost packet 100 ms of silence and 300 ms of delay. The tap stands where the DTLS transport
hands packets over, on this receiver alone, and keeps what aiortc's RTCP reports are made of, so that the far end
still learns of its losses.
Law: where aiortc is not as it is known here, there is no tap, and its own path goes on as it was; what is not Opus goes
that way in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from aiortc import RTCRtpReceiver
from aiortc.rtp import RtpPacket

from couchvoice.audio.opus import OpusUnavailable, opus_library
from couchvoice.audio.packet_buffer import MediaPacket

log = logging.getLogger("couchvoice.transports.packet_tap")

# What aiortc 1.16 keeps its codecs, its reports' statistics and its sources in.
_CODECS = "_RTCRtpReceiver__codecs"
_STREAMS = "_RTCRtpReceiver__remote_streams"
_SOURCES = "_RTCRtpReceiver__active_ssrc"
_HANDLE = "_handle_rtp_packet"
_OPUS = "audio/opus"


def tap_packets(receiver: RTCRtpReceiver, on_packet: Callable[[MediaPacket], None]) -> bool:
    """Hand out the receiver's Opus packets from now on; its track gets none of them. False: that cannot be had here."""
    private: Any = receiver
    try:
        opus_library()
        from aiortc import clock
        from aiortc.rtcrtpreceiver import StreamStatistics

        codecs, streams, sources = (getattr(private, name) for name in (_CODECS, _STREAMS, _SOURCES))
        handle = getattr(private, _HANDLE)
    except (OpusUnavailable, ImportError, AttributeError) as exc:
        log.warning("x sound is received by aiortc's own means: %s", exc)
        return False

    async def tapped(packet: RtpPacket, arrival_time_ms: int) -> None:
        codec = codecs.get(packet.payload_type)
        if codec is None or codec.mimeType.lower() != _OPUS or not private._enabled:
            await handle(packet, arrival_time_ms=arrival_time_ms)
            return
        sources[packet.ssrc] = clock.current_datetime()
        if packet.ssrc not in streams:
            streams[packet.ssrc] = StreamStatistics(codec.clockRate)
        streams[packet.ssrc].add(packet)
        # A packet without sound (RFC 3550 §5.1: padding only) keeps a path open, no more.
        if not packet.payload:
            return
        # One item of a serving loop: what is raised here ends aiortc's connection without a word.
        try:
            on_packet(MediaPacket(packet.ssrc, packet.sequence_number, packet.timestamp, packet.payload))
        except Exception:
            log.exception("x a packet of %d bytes could not be taken", len(packet.payload))

    setattr(private, _HANDLE, tapped)
    return True
