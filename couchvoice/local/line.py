"""The WebRTC end of one call: the aiortc peer that answers an offer, its tracks and its channel.

    resource            acquired        released
    peer connection     answer()        close()
    packet reader       answer()        close()
    ear (a coroutine)   listen()        with whoever runs it

Not who speaks: what comes goes to a party, what goes is read from it. Law: whatever ends the connection (silence on
the wire, a lost peer, a channel that closes) stops the party, once or more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.opus import Bandwidth
from couchvoice.local.audio_lines import choose_lines
from couchvoice.local.event_channel import EventChannel
from couchvoice.local.manners import Manners
from couchvoice.local.protocol.bad_event import BadEvent
from couchvoice.local.strict_lite import answer_only_nominations
from couchvoice.transports.opus_format import with_inband_fec
from couchvoice.transports.packet_reader import PacketReader, read_packets
from couchvoice.transports.peer import (
    DATA_CHANNEL_LABEL,
    close_peer,
    cut_off,
    hear_at_once,
    new_peer_connection,
    on_message,
    own_connecting,
    prepare_to_gather,
    with_one_fingerprint,
    without_end_of_candidates,
)
from couchvoice.transports.tracks import SourceTrack, read_track

log = logging.getLogger("couchvoice.local.peer")

CLOSE_TIMEOUT = 2.0  # seconds


class Party(Protocol):
    """Who is called."""

    def open(self) -> None:
        """The client can be reached."""

    def receive(self, message: str | bytes) -> None:
        """A client event."""

    def hear(self, frame: AudioFrame) -> None:
        """The client's sound."""

    def miss(self, gap_ms: float) -> None:
        """So much of it is missing."""

    def stop(self) -> None:
        """The client is gone. May be called twice."""


class Line:
    """``read`` gives the party's sound, paced, in frames of 20 ms."""

    def __init__(
        self, call_id: str, party: Party, manners: Manners, *, read: Callable[[], Awaitable[AudioFrame]]
    ) -> None:
        self._call_id = call_id
        self._party = party
        self._manners = manners
        self._read = read
        self._peer: RTCPeerConnection = new_peer_connection()
        self._channel: EventChannel | None = None
        self._track: MediaStreamTrack | None = None
        self._reader: PacketReader | None = None
        self._is_audible = False  # whether the caller wants to hear anything
        self._opened = asyncio.Event()

    @property
    def audible(self) -> bool:
        """The caller hears what is said."""
        return self._is_audible

    async def answer(self, offer: str, *, channel_id: int | None = None) -> str:
        """The SDP answer. Raises BadEvent, and what aiortc raises on an offer that it does not like (SDP_ERRORS).

        ``channel_id``: both ends know the data channel by this number, and neither opens it (OpenAI: ``?dcid=``).
        """
        peer = self._peer
        self._watch(peer)
        own_connecting(peer, self._lose)
        await peer.setRemoteDescription(RTCSessionDescription(without_end_of_candidates(offer), "offer"))
        if peer.sctp is None:
            raise BadEvent("invalid_offer", "The offer has no data channel.", "sdp")
        self._choose_lines(peer)
        if channel_id is not None:
            channel = peer.createDataChannel(DATA_CHANNEL_LABEL, negotiated=True, id=channel_id)
            channel.on("open", lambda: self._adopt(channel))
        prepare_to_gather(peer)
        if self._manners.strict_lite:
            answer_only_nominations(peer)
        await peer.setLocalDescription(await peer.createAnswer())
        return with_inband_fec(with_one_fingerprint(peer.localDescription.sdp))

    async def listen(self) -> None:
        """Hand out what comes on aiortc's track until it ends; where the packets are had, that is nothing."""
        if self._track is None:
            return
        # One item of a serving loop: a call that has gone deaf is over, the others are not.
        try:
            await read_track(self._track, self._party.hear, self._party.miss)
        except Exception:
            log.exception("x %s: the ear failed", self._call_id)
            self._party.stop()

    async def await_open(self) -> None:
        """Stop the party unless the channel opens in time."""
        try:
            async with asyncio.timeout(self._manners.connect_timeout):
                await self._opened.wait()
        except TimeoutError:
            log.warning("- %s: nobody came within %g s", self._call_id, self._manners.connect_timeout)
            self._party.stop()

    def send(self, event: dict[str, Any] | str) -> None:
        """Never raises: a client that takes nothing any more is gone."""
        if self._channel is not None and not self._channel.send(event):
            self._party.stop()

    async def flush(self) -> None:
        """Let the client take what was sent, within a bound."""
        if self._channel is not None:
            await self._channel.flush()

    def cut(self) -> None:
        """End the connection without a word to the client."""
        cut_off(self._peer)

    async def close(self) -> None:
        """Release the peer connection. May be called twice."""
        if self._reader is not None:
            self._reader.close()
        await close_peer(self._peer, within=CLOSE_TIMEOUT)
        log.info("- %s is over", self._call_id)

    def _choose_lines(self, peer: RTCPeerConnection) -> None:
        mouth, ear = choose_lines(peer)
        if mouth is not None:
            track = SourceTrack(self._read)
            track.encode_opus(peer, mouth, Bandwidth.SUPERWIDE)  # a person listens
            mouth.sender.replaceTrack(track)
            self._is_audible = True
        if ear is not None:
            self._reader = read_packets(ear.receiver, self._hear, self._party.miss)
            hear_at_once(ear.receiver)
            self._track = ear.receiver.track

    def _watch(self, peer: RTCPeerConnection) -> None:
        @peer.on("datachannel")
        def _channel_arrived(channel: RTCDataChannel) -> None:
            if channel.label != DATA_CHANNEL_LABEL or self._channel is not None:
                log.warning("x a data channel called %r is ignored", channel.label)
                return
            self._adopt(channel)

        @peer.on("connectionstatechange")
        def _state_changed() -> None:
            log.debug("= %s %s", self._call_id, peer.connectionState)
            if peer.connectionState in ("failed", "closed"):
                self._party.stop()

    def _adopt(self, channel: RTCDataChannel) -> None:
        self._channel = EventChannel(channel)
        on_message(channel, self._party.receive)
        channel.on("close", self._party.stop)
        self._opened.set()
        self._party.open()

    def _lose(self, reason: str) -> None:
        log.info("- %s: %s", self._call_id, reason)
        self._party.stop()

    def _hear(self, frame: AudioFrame) -> None:
        # As in listen: this one is called by aiortc, which would end the connection without a word.
        try:
            self._party.hear(frame)
        except Exception:
            log.exception("x %s: the ear failed", self._call_id)
            self._party.stop()
