"""One call: the aiortc peer that answers an offer, and the tracks and the channel of its performer.

    resource            acquired        released
    peer connection     answer()        close(), which run() calls at its end
    ear (a task)        run()           with the performer
    packet reader       answer()        close()
    performer           run()           with run()

Law: whatever ends the call (hangup, silence on the wire, a lost peer) ends ``run``, and ``run`` releases everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.opus import Bandwidth
from couchvoice.local.audio_lines import choose_lines
from couchvoice.local.engines import Engines
from couchvoice.local.event_channel import EventChannel
from couchvoice.local.manners import Manners
from couchvoice.local.mouth import Mouth
from couchvoice.local.performer import Performer, sound_ms
from couchvoice.local.protocol.bad_event import BadEvent
from couchvoice.local.protocol.client_event import InputAppend
from couchvoice.local.protocol.dialogue import Dialogue
from couchvoice.local.protocol.orders import Order, Speak
from couchvoice.local.protocol.session_object import SessionObject
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


class Call:
    """``answer`` first, then ``run`` until the call is over."""

    def __init__(self, call_id: str, session: SessionObject, engines: Engines, manners: Manners) -> None:
        self.call_id = call_id
        self._manners = manners
        self._dialogue = Dialogue(
            session, call_id.removeprefix("rtc_"), foreign=InputAppend, text_only=bool(manners.faults.text_only)
        )
        self._performer = Performer(call_id, self._dialogue, engines, self, manners)
        self._joined: set[Callable[[dict[str, Any] | str], None]] = set()
        self._mouth = Mouth(on_started=self._playback_started, on_drained=self._playback_drained)
        self._peer: RTCPeerConnection = new_peer_connection()
        self._channel: EventChannel | None = None
        self._track: MediaStreamTrack | None = None
        self._reader: PacketReader | None = None
        self._is_audible = False  # whether the caller wants to hear anything
        self._opened = asyncio.Event()

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

    async def run(self) -> None:
        """Serve the call until it is over; releases everything."""
        try:
            await self._performer.run({"ear": self._listen, "watchdog": self._await_open})
        finally:
            await self.close()

    def hang_up(self) -> None:
        self._performer.stop()

    def join(self, tell: Callable[[dict[str, Any] | str], None]) -> None:
        """From now on somebody else is told what the client is told; first, how the session stands."""
        tell(self._dialogue.introduction())
        self._joined.add(tell)

    def leave(self, tell: Callable[[dict[str, Any] | str], None]) -> None:
        self._joined.discard(tell)

    def receive(self, message: str | bytes) -> None:
        """A client event, from whoever has joined the call."""
        self._performer.receive(message)

    async def over(self) -> None:
        """Return when the call is over."""
        await self._performer.over()

    async def close(self) -> None:
        """Release the peer connection. May be called twice."""
        self._performer.stop()
        if self._reader is not None:
            self._reader.close()
        await close_peer(self._peer, within=CLOSE_TIMEOUT)
        log.info("- %s is over", self.call_id)

    def _choose_lines(self, peer: RTCPeerConnection) -> None:
        mouth, ear = choose_lines(peer)
        if mouth is not None:
            track = SourceTrack(self._mouth.read)
            track.encode_opus(peer, mouth, Bandwidth.SUPERWIDE)  # a person listens
            mouth.sender.replaceTrack(track)
            self._is_audible = True
        if ear is not None:
            self._reader = read_packets(ear.receiver, self._hear, self._performer.miss)
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
            log.debug("= %s %s", self.call_id, peer.connectionState)
            if peer.connectionState in ("failed", "closed"):
                self.hang_up()

    def _adopt(self, channel: RTCDataChannel) -> None:
        self._channel = EventChannel(channel)
        on_message(channel, self._performer.receive)
        channel.on("close", self.hang_up)
        self._opened.set()
        self._performer.open()

    def _lose(self, reason: str) -> None:
        log.info("- %s: %s", self.call_id, reason)
        self.hang_up()

    async def _await_open(self) -> None:
        try:
            async with asyncio.timeout(self._manners.connect_timeout):
                await self._opened.wait()
        except TimeoutError:
            log.warning("- %s: nobody came within %g s", self.call_id, self._manners.connect_timeout)
            self.hang_up()

    async def _listen(self) -> None:
        if self._track is None:
            return
        # One item of a serving loop: a call that has gone deaf is over, the others are not.
        try:
            await read_track(self._track, self._performer.hear, self._performer.miss)
        except Exception:
            log.exception("x %s: the ear failed", self.call_id)
            self.hang_up()

    def _hear(self, frame: AudioFrame) -> None:
        # As in _listen: this one is called by aiortc, which would end the connection without a word.
        try:
            self._performer.hear(frame)
        except Exception:
            log.exception("x %s: the ear failed", self.call_id)
            self.hang_up()

    def _playback_started(self, response_id: str) -> None:
        self._performer.perform(self._dialogue.playback_started(response_id))

    def _playback_drained(self, response_id: str) -> None:
        self._performer.perform(self._dialogue.playback_drained(response_id))

    # The performer's outlet

    @property
    def heard_ms(self) -> int:
        return self._mouth.said_ms

    def send(self, event: dict[str, Any] | str) -> None:
        if self._channel is not None and not self._channel.send(event):
            self.hang_up()
        for tell in list(self._joined):
            tell(event)

    @property
    def audible(self) -> bool:
        """False: the words alone are said."""
        return self._is_audible

    async def room(self) -> None:
        await self._mouth.room()

    def utter(self, order: Speak, sound: AudioFrame) -> list[Order]:
        self._mouth.say(order.response_id, sound)
        return self._dialogue.sentence_queued(order.response_id, ms=sound_ms(sound))

    def hush(self, response_id: str) -> None:
        self._mouth.hush(response_id)

    async def flush(self) -> None:
        if self._channel is not None:
            await self._channel.flush()

    def cut(self) -> None:
        cut_off(self._peer)
