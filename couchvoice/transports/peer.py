"""A peer connection as both ends need it: aiortc, told what it does not know by itself.

aiortc gathers from a public STUN server unless told not to, finds no candidates on a machine that has loopback only,
and dies as a whole of one exception in a handler or of one text message that is no UTF-8.
Law: every adaptation stands here, on the instance, and says what happens without it; nothing of aiortc is patched.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import Callable, Iterable
from typing import Any

from aioice.stun import TransactionError
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError

from couchvoice.outside import let_really_pass

log = logging.getLogger("couchvoice.transports.peer")

DATA_CHANNEL_LABEL = "oai-events"
LOOPBACK = "127.0.0.1"
# aiortc raises all of these on a description that it does not like.
SDP_ERRORS = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
    struct.error,
)
# A STUN or TURN address that is none, a server that refuses or is not there.
GATHERING_ERRORS = (ValueError, OSError, TransactionError)
_PPID_STRING = 51  # RFC 8831 §8: WebRTC String
_PPID_BINARY = 53  # RFC 8831 §8: WebRTC Binary


def new_peer_connection(ice_servers: Iterable[RTCIceServer] = ()) -> RTCPeerConnection:
    """A peer connection that gathers host candidates only, unless servers are named."""
    # Without a list aiortc asks a public STUN server, which costs 5 s where it cannot be reached.
    return RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))


def with_one_fingerprint(sdp: str) -> str:
    """Our description as it is sent. aiortc names one certificate by three fingerprints (RFC 8122 §5 allows it);
    libdatachannel keeps the last and compares it with the SHA-256 of what it sees: 7 of 40 calls failed."""
    return _without_lines(sdp, "a=fingerprint:sha-384 ", "a=fingerprint:sha-512 ")


def without_end_of_candidates(offer: str) -> str:
    """An offer as aiortc is given it. Told that there are no more candidates when it can use none (names of mDNS,
    say), aioice gathers none of its own, though the far end would call."""
    return _without_lines(offer, "a=end-of-candidates")


def offered_direction(transceiver: RTCRtpTransceiver) -> str:
    """What the far end's offer lets this end do, in this end's words."""
    return str(transceiver._offerDirection)


def hear_at_once(receiver: RTCRtpReceiver) -> None:
    """aiortc holds back the last 80 ms until more comes. Whoever has no loudspeaker to feed evenly need not wait."""
    private: Any = receiver
    private._RTCRtpReceiver__jitter_buffer._prefetch = 0


def prepare_to_gather(peer: RTCPeerConnection) -> None:
    """To be called when all transceivers and channels are there, before ``setLocalDescription``."""
    if peer.sctp is not None:
        _accept_any_text(peer.sctp)
    for connection in _ice_connections(peer):
        _fall_back_to_loopback(connection)
        _keep_nominating(connection)
    for transport in _dtls_transports(peer):
        _let_time_pass(transport)


def own_connecting(peer: RTCPeerConnection, lose: Callable[[str], None]) -> None:
    """aiortc connects in a task that nobody awaits. A description that it took and cannot use (one without a
    fingerprint, say) is a traceback on stderr then, and the state stays ``connecting``; and what closes the peer
    meanwhile leaves a task behind that asks for consent."""
    private: Any = peer
    connect, close = private._RTCPeerConnection__connect, peer.close
    connecting: set[asyncio.Task[None]] = set()

    async def connect_or_tell() -> None:
        task = asyncio.current_task()
        assert task is not None  # aiortc makes one
        connecting.add(task)
        try:
            await connect()
        except (*SDP_ERRORS, OSError) as exc:
            lose(f"the description cannot be used ({type(exc).__name__})")
        finally:
            connecting.discard(task)

    async def stop_connecting_and_close() -> None:
        for task in connecting:
            task.cancel()
        if connecting:
            await asyncio.wait(connecting)
        await close()

    private._RTCPeerConnection__connect = connect_or_tell
    private.close = stop_connecting_and_close


async def close_peer(peer: RTCPeerConnection, *, within: float) -> None:
    """Never raises. An odd description may stop aiortc half-way; then its tasks and sockets are taken one by one."""
    try:
        async with asyncio.timeout(within):
            await peer.close()
    except TimeoutError:
        log.warning("- the peer connection did not close within %g s", within)
        cut_off(peer)
    except SDP_ERRORS as exc:
        log.debug("- the peer connection did not close (%s): its transports are stopped", type(exc).__name__)
        private: Any = peer
        for transport in (*private._RTCPeerConnection__dtlsTransports, *private._RTCPeerConnection__iceTransports):
            with contextlib.suppress(TimeoutError, *SDP_ERRORS):
                async with asyncio.timeout(within):
                    await transport.stop()


def cut_off(peer: RTCPeerConnection) -> None:
    """As when a cable is pulled: its sockets are gone, and nobody was told."""
    for connection in _ice_connections(peer):
        for protocol in connection._protocols:
            protocol.transport.abort()


def is_acknowledged(channel: RTCDataChannel) -> bool:
    """Whether the far end has all that was sent: bufferedAmount is 0 as soon as it is on its way."""
    sctp = channel.transport
    return not (sctp._data_channel_queue or sctp._outbound_queue or sctp._sent_queue)


def on_message(channel: RTCDataChannel, receive: Callable[[str | bytes], None]) -> None:
    """Call ``receive`` for each message; an exception in it is logged and the peer lives."""

    @channel.on("message")
    def _guarded(message: str | bytes) -> None:
        # One item of a serving loop: aiortc ends the whole peer when a handler raises.
        try:
            receive(message)
        except Exception:
            log.exception("x a handler failed on a message of %d bytes", len(message))


def _ice_connections(peer: RTCPeerConnection) -> set[Any]:
    return {transport.transport._connection for transport in _dtls_transports(peer)}


def _dtls_transports(peer: RTCPeerConnection) -> set[Any]:
    transports: set[Any] = {transceiver.sender.transport for transceiver in peer.getTransceivers()}
    if peer.sctp is not None:
        transports.add(peer.sctp.transport)
    return transports


def _let_time_pass(transport: Any) -> None:
    """OpenSSL repeats what was lost by a clock of its own: asked by a loop whose clock is ahead of it, it would say
    that it is too early, and the loop would soon have waited for minutes."""
    handshake = transport._do_handshake

    async def do_handshake() -> None:
        ssl = transport._ssl
        handle_timeout = ssl.DTLSv1_handle_timeout

        def handle_timeout_in_time() -> bool:
            let_really_pass(ssl.DTLSv1_get_timeout() or 0.0)
            return bool(handle_timeout())

        ssl.DTLSv1_handle_timeout = handle_timeout_in_time
        await handshake()

    transport._do_handshake = do_handshake


def _without_lines(sdp: str, *beginnings: str) -> str:
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(beginnings))


def _fall_back_to_loopback(connection: Any) -> None:
    """aioice leaves 127.0.0.1 out, so that on a machine with nothing else the state stays ``new`` for ever."""
    gather = connection.get_component_candidates

    async def gather_somewhere(component: int, addresses: list[str], **options: Any) -> Any:
        return await gather(component=component, addresses=addresses or [LOOPBACK], **options)

    connection.get_component_candidates = gather_somewhere


def _keep_nominating(connection: Any) -> None:
    """aioice's consent checks lack USE-CANDIDATE; ICE-lite ends are reported to ignore such, and the call ends.

    Measured against an end that does: aioice alone closes after 33 s (consent expires, RFC 7675 §5.1).
    """
    build = connection.build_request

    def build_request(pair: Any, nominate: bool) -> Any:
        # aioice adds the attribute only while it is controlling.
        return build(pair, nominate=nominate or pair.nominated)

    connection.build_request = build_request


def _accept_any_text(sctp: Any) -> None:
    """aiortc decodes text in its receive loop: one message that is no UTF-8 ends the connection."""
    receive = sctp._data_channel_receive

    async def receive_anything(stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id == _PPID_STRING and not _is_utf8(data):
            pp_id = _PPID_BINARY
        await receive(stream_id, pp_id, data)

    sctp._data_channel_receive = receive_anything


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
