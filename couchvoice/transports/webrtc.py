"""WebRTC to the provider: one peer connection, one Opus track each way, one data channel for events.

Signalling is a single POST of the offer to the calls URL with the client secret (OpenAI: "POST /v1/realtime/calls",
``application/sdp``). Law: the channel ``oai-events`` is created before the offer, everything acquired is released
when any step fails, and a connection that ends unasked raises ConnectionLost to whoever reads the events.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from aiortc import (
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidStateError
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.opus import Bandwidth
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.errors import (
    ConnectionLost,
    ConnectTimeout,
    MessageTooLarge,
    NegotiationFailed,
    NotConnected,
    SdpExchangeError,
)
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient, HttpFailure
from couchvoice.transports.network import Network, Post
from couchvoice.transports.opus_format import with_inband_fec
from couchvoice.transports.packet_tap import tap_packets
from couchvoice.transports.peer import (
    DATA_CHANNEL_LABEL,
    GATHERING_ERRORS,
    SDP_ERRORS,
    close_peer,
    new_peer_connection,
    on_message,
    own_connecting,
    prepare_to_gather,
    with_one_fingerprint,
)
from couchvoice.transports.tracks import SourceTrack, read_track

log = logging.getLogger("couchvoice.transports.webrtc")

CONNECT_TIMEOUT = 10.0  # seconds from the offer to the open data channel
CLOSE_TIMEOUT = 1.0  # seconds; aiortc joins a decoder thread and waits for DTLS
MAX_WAITING_EVENTS = 10_000  # a reader that is further behind has stopped: the connection is given up
MAX_ANSWER = 256 * 1024  # bytes of SDP

AUTHORIZATION = "Authorization"
OPUS = "opus"

# RFC 9110 §5.6.2 (token), without what steers the request itself; X-Api-Key, api-key, …
_CREDENTIAL_HEADER = re.compile(
    r"(?!(?:host|content|transfer|connection|te|upgrade|expect)\b)[a-z0-9-]{1,64}", re.IGNORECASE
)

_SENDING = ("sendrecv", "sendonly")


class WebRTCTransport:
    """``read`` gives the microphone's frames. What is heard goes to ``on_packet``, and to ``on_frame`` and ``on_gap``
    (ms) where the packets themselves cannot be had, or hold no Opus. Used once.

    ``secret_header`` takes the secret, as a Bearer when it is Authorization; ``codec`` is the only one that is offered;
    ``network`` lies between the two peers.
    """

    def __init__(
        self,
        calls_url: str,
        secret: Private,
        *,
        http: HttpClient,
        read: Callable[[], Awaitable[AudioFrame]],
        on_packet: Callable[[MediaPacket], None],
        on_frame: Callable[[AudioFrame], None],
        on_gap: Callable[[float], None],
        ice_servers: Iterable[RTCIceServer] = (),
        secret_header: str = AUTHORIZATION,
        codec: str = OPUS,
        network: Network | None = None,
    ) -> None:
        self.call_id: str | None = None
        self._calls_url = calls_url
        self._secret = secret
        self._http = http
        self._read = read
        self._on_packet = on_packet
        self._on_frame = on_frame
        self._on_gap = on_gap
        self._ice_servers = tuple(ice_servers)
        self._secret_header = secret_header
        self._codec = codec
        self._network = network
        self._peer: RTCPeerConnection | None = None
        self._channel: RTCDataChannel | None = None
        self._track: SourceTrack | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._open: asyncio.Future[None] | None = None
        self._events: asyncio.Queue[str | bytes | ConnectionLost | None] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._closing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Offer, answer, ICE, DTLS, SCTP. Raises NegotiationFailed, SdpExchangeError or ConnectTimeout."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._connect()
        except TimeoutError as exc:
            await self.close()
            raise ConnectTimeout("open data channel", CONNECT_TIMEOUT) from exc
        except BaseException:
            await self.close()
            raise

    def send(self, event: str) -> None:
        """Raises ConnectionLost when the channel is not open, MessageTooLarge."""
        if self._channel is None:
            raise NotConnected("disconnected")
        try:
            self._channel.send(event)
        except InvalidStateError as exc:
            raise ConnectionLost("the data channel is closed") from exc
        except ValueError as exc:
            raise MessageTooLarge(len(event)) from exc

    async def events(self) -> AsyncIterator[str | bytes]:
        while True:
            event = await self._events.get()
            if event is None:
                return
            if isinstance(event, ConnectionLost):
                raise event
            yield event

    async def close(self) -> None:
        if self._closing is None:
            self._put(None)
            self._closing = asyncio.create_task(self._close(), name="close-transport")
        # Whoever waits may be cancelled: what has begun goes on, and who closes again waits for its end.
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)
        if self._track is not None:
            self._track.stop()
        if self._peer is not None:
            await close_peer(self._peer, within=CLOSE_TIMEOUT)

    async def _connect(self) -> None:
        self._open = asyncio.get_running_loop().create_future()
        self._peer = peer = new_peer_connection(self._ice_servers)
        self._track = track = SourceTrack(self._read)
        try:
            offer = await self._offer(peer, track)
        except GATHERING_ERRORS as exc:
            raise NegotiationFailed(f"the ICE servers that the backend named cannot be used: {exc}") from exc
        introduce = self._network.introduce if self._network is not None else _directly
        answer = await introduce(offer, self._exchange)
        try:
            await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            track.encode_opus(peer, peer.getTransceivers()[0], Bandwidth.WIDE)  # a machine listens
        except SDP_ERRORS as exc:
            raise SdpExchangeError(self._calls_url, None, f"the answer is no usable SDP: {type(exc).__name__}") from exc
        if all(transceiver.currentDirection not in _SENDING for transceiver in peer.getTransceivers()):
            # Nobody would ever read the source, and a talk that waits for its end would never end.
            raise NegotiationFailed("the far end does not listen: its answer takes no sound")
        await self._open
        log.info("- data channel open, call %s", self.call_id)

    async def _offer(self, peer: RTCPeerConnection, track: SourceTrack) -> str:
        self._watch(peer)
        own_connecting(peer, self._lose)
        transceiver = peer.addTransceiver(track, direction="sendrecv")
        transceiver.setCodecPreferences(self._codecs())
        tap_packets(transceiver.receiver, self._on_packet)
        self._channel = self._create_channel(peer)
        prepare_to_gather(peer)
        await peer.setLocalDescription(await peer.createOffer())
        return with_inband_fec(with_one_fingerprint(peer.localDescription.sdp))

    def _codecs(self) -> list[RTCRtpCodecCapability]:
        """Raises NegotiationFailed when it is none that we have."""
        known = RTCRtpSender.getCapabilities("audio").codecs
        codecs = [codec for codec in known if codec.mimeType.lower() == f"audio/{self._codec.lower()}"]
        if not codecs:
            names = ", ".join(dict.fromkeys(codec.mimeType.partition("/")[2].lower() for codec in known))
            raise NegotiationFailed(f'the provider takes the codec "{self._codec}" only, and here are {names}')
        return codecs

    def _create_channel(self, peer: RTCPeerConnection) -> RTCDataChannel:
        channel = peer.createDataChannel(DATA_CHANNEL_LABEL)
        on_message(channel, self._put)
        channel.on("open", self._opened)
        channel.on("close", lambda: self._lose("the data channel was closed by the far end"))
        return channel

    def _watch(self, peer: RTCPeerConnection) -> None:
        @peer.on("connectionstatechange")
        def _state_changed() -> None:
            log.debug("= connection %s", peer.connectionState)
            if peer.connectionState in ("failed", "closed"):
                self._lose(f"the connection is {peer.connectionState}")

        @peer.on("track")
        def _track_arrived(track: MediaStreamTrack) -> None:
            if track.kind == "audio" and self._receiving is None:
                # Owned by this transport: it ends with the track, and close() awaits it.
                self._receiving = asyncio.create_task(self._receive(track), name="receive-audio")

    async def _receive(self, track: MediaStreamTrack) -> None:
        try:
            await read_track(track, self._on_frame, self._on_gap)
        except (ValueError, OSError) as exc:  # av's errors are both
            self._lose(f"the received sound cannot be decoded: {exc}")

    async def _exchange(self, offer: str) -> str:
        """Post the offer. Raises SdpExchangeError unless a 2xx brings SDP."""
        headers = {**self._credential(), "Content-Type": "application/sdp"}
        try:
            reply = await self._http.post(self._calls_url, offer.encode(), headers, within=CONNECT_TIMEOUT)
        except HttpFailure as exc:
            raise SdpExchangeError(self._calls_url, None, str(exc)) from exc
        if not reply.ok:
            raise SdpExchangeError(self._calls_url, reply.status, _reason(reply.body))
        if not reply.body.lstrip().startswith(b"v=0") or len(reply.body) > MAX_ANSWER:
            raise SdpExchangeError(self._calls_url, None, f"the answer is no SDP ({len(reply.body)} bytes)")
        self.call_id = reply.headers.get("location", "").rpartition("/")[2] or None
        return reply.body.decode("utf-8", "replace")

    def _credential(self) -> dict[str, str]:
        """Raises NegotiationFailed for a header that carries no credentials."""
        if self._secret_header.lower() == AUTHORIZATION.lower():
            return {AUTHORIZATION: f"Bearer {self._secret.reveal()}"}
        if not _CREDENTIAL_HEADER.fullmatch(self._secret_header):
            raise NegotiationFailed("the backend names a header for the secret that carries none")
        return {self._secret_header: self._secret.reveal()}

    def _opened(self) -> None:
        if self._open is not None and not self._open.done():
            self._open.set_result(None)

    def _lose(self, reason: str) -> None:
        if self._closing is not None:
            return
        if self._open is not None and not self._open.done():
            self._open.set_exception(NegotiationFailed(reason))
        else:
            self._put(ConnectionLost(reason))

    def _put(self, event: str | bytes | ConnectionLost | None) -> None:
        if self._events.full():
            # The reader has stopped. What ends the stream must come through; the events before it are lost anyway.
            self._events.get_nowait()
            event = ConnectionLost("its events were not read in time") if event is not None else None
        self._events.put_nowait(event)


async def _directly(offer: str, post: Post) -> str:
    return await post(offer)


def _reason(body: bytes) -> str:
    """What the refusal says of itself: OpenAI's ``error.message``, else only the size of the body."""
    import json

    try:
        return str(json.loads(body)["error"]["message"])[:300]
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"{len(body)} bytes that are no error message"
