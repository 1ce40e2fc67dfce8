"""Calls that do not come about: what is said of them, and that nothing of them stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import re
from collections.abc import Awaitable, Callable

import pytest
from aiortc import RTCIceServer
from starlette.responses import Response

from couchvoice.errors import (
    ConnectTimeout,
    CouchvoiceError,
    NegotiationFailed,
    SdpExchangeError,
    TransportError,
)
from couchvoice.transports import webrtc
from tests.leftovers import nothing_left
from tests.patience import WAIT
from tests.transports.answering_peer import SECRET, AnsweringPeer, answering_peer
from tests.transports.caller import transport_to

SHORT = 0.5  # seconds
MUTATIONS = 40
SEED = 7


async def refused(peer: AnsweringPeer, **options: object) -> CouchvoiceError:
    """Try to connect; nothing may be left when the error is there, before anybody closes."""
    async with nothing_left():
        async with transport_to(peer, **options) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.connect()
            assert [event async for event in transport.events()] == []
        await peer.close()
    return caught.value


REFUSALS = [
    pytest.param(401, b'{"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}', id="openai-401"),
    pytest.param(404, b'{"detail": "Not Found"}', id="404"),
    pytest.param(429, b"", id="429"),
    pytest.param(500, b"<html>oops</html>", id="500"),
    pytest.param(503, b'{"error": ' * 10_000, id="nested-json"),
    pytest.param(307, b"", id="redirect"),
]


@pytest.mark.row("A2", "A3")
@pytest.mark.parametrize(("status", "body"), REFUSALS)
async def test_a_refused_offer_is_an_error_with_its_status(status: int, body: bytes):
    async with answering_peer() as peer:
        peer.refusal = Response(body, status, {"Location": "http://localhost/v1/realtime/calls"})
        error = await refused(peer)
        assert isinstance(error, SdpExchangeError)
        assert error.status == status
        assert error.retryable is (status in (429, 500, 503))
        assert len(peer.offers) == 1
        assert SECRET not in str(error)
        assert len(str(error)) < 600


async def test_the_refusal_says_what_the_provider_said():
    async with answering_peer() as peer:
        peer.refusal = Response(b'{"error": {"message": "Incorrect API key"}}', 401)
        assert "Incorrect API key" in str(await refused(peer))


NO_SDP = [b"", b"<html>It works!</html>", b'{"sdp": "v=0"}', b"\xff\xfe\x00", b"v=0", b"v=0\r\n" + b"a=x\r\n" * 100_000]


@pytest.mark.row("A2")
@pytest.mark.parametrize("body", NO_SDP, ids=["empty", "html", "json", "binary", "first-line", "half-a-megabyte"])
async def test_an_answer_that_is_no_sdp_is_an_error(body: bytes):
    async with answering_peer() as peer:
        peer.refusal = Response(body, 201, media_type="application/sdp")
        error = await refused(peer)
        assert isinstance(error, SdpExchangeError)
        assert error.status is None


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_a_far_end_that_takes_no_sound_is_no_partner(direction: str):
    async with answering_peer() as peer:
        peer.edit = lambda sdp: sdp.replace("a=sendrecv", f"a={direction}")
        error = await refused(peer)
        assert isinstance(error, NegotiationFailed)
        assert "does not listen" in str(error)


def _without_fingerprint(sdp: str) -> str:
    return re.sub(r"a=fingerprint:.*\r\n", "", sdp)


def _as_an_offer(sdp: str) -> str:
    return sdp.replace("a=setup:active", "a=setup:actpass")


def _audio_only(sdp: str) -> str:
    return sdp[: sdp.index("m=application")]


def _two_audio_lines(sdp: str) -> str:
    return sdp + sdp[sdp.index("m=audio") : sdp.index("m=application")]


def _another_codec(sdp: str) -> str:
    return sdp.replace("opus/48000/2", "telepathy/48000/2")


def _bundled_with_nothing(sdp: str) -> str:
    """aiortc then fails to close: a task and two sockets would stay."""
    return sdp.replace("BUNDLE 0 1", "BUNDLE 9 1")


EDITS = [_bundled_with_nothing, _without_fingerprint, _as_an_offer, _audio_only, _two_audio_lines, _another_codec]


@pytest.mark.row("A2")
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__[1:])
async def test_an_answer_that_does_not_fit_the_offer_is_an_error(
    edit: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    async with answering_peer() as peer:
        peer.edit = edit
        assert isinstance(await refused(peer), NegotiationFailed | ConnectTimeout)


@pytest.mark.timeout(60)
async def test_a_mutated_answer_is_an_error_or_a_call_and_never_anything_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    chance = random.Random(SEED)
    for _ in range(MUTATIONS):
        async with answering_peer() as peer:
            peer.edit = lambda sdp: _mutated(sdp, chance)
            async with nothing_left():
                async with transport_to(peer) as transport:
                    with contextlib.suppress(TransportError):
                        await transport.connect()
                await peer.close()
    gc.collect()
    assert "never retrieved" not in caplog.text


def _mutated(sdp: str, chance: random.Random) -> str:
    """A few lines lost, doubled, cut, or with another number in them. The first line stays: it is looked at before."""
    lines = sdp.splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(1, len(lines))
        match chance.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[chance.randrange(1, len(lines))])
            case 2:
                lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
            case 3:
                lines[at] = re.sub(r"\d+", chance.choice(["", "-1", "99999999999", "x"]), lines[at], count=1)
            case _:
                lines[at] = lines[at].replace(":", chance.choice(["", "::", " "]), 1)
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.row("A3")
async def test_a_channel_that_never_opens_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    async with answering_peer() as peer:
        peer.is_deaf = True
        error = await refused(peer)
        assert isinstance(error, ConnectTimeout)
        assert "UDP" in str(error)


@pytest.mark.row("A3")
async def test_a_far_end_that_cannot_be_reached_is_no_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    async with answering_peer() as peer:
        peer.edit = lambda sdp: re.sub(r"a=ice-pwd:.*", "a=ice-pwd:0123456789012345678901", sdp)
        assert isinstance(await refused(peer), NegotiationFailed | ConnectTimeout)


@pytest.mark.row("A3")
async def test_a_server_that_never_answers_the_offer_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    async with answering_peer() as peer:
        peer.hangs = True
        assert isinstance(await refused(peer), ConnectTimeout | SdpExchangeError)


@pytest.mark.row("A3")
async def test_a_calls_url_where_nobody_listens_is_an_error_without_a_status():
    async with answering_peer() as peer:
        peer.app = _breaks_off
        error = await refused(peer)
        assert isinstance(error, SdpExchangeError)
        assert (error.status, error.retryable) == (None, True)


async def _breaks_off(scope: object, receive: object, send: Callable[..., Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-encoding", b"gzip")]})
    await send({"type": "http.response.body", "body": b"no gzip"})


async def test_a_far_end_with_another_key_than_it_said_is_no_connection():
    async with answering_peer() as peer:
        peer.edit = lambda sdp: re.sub(r"(a=fingerprint:\S+) ..", r"\1 00", sdp)
        error = await refused(peer)
        assert isinstance(error, NegotiationFailed)
        assert peer.heard == []


@pytest.mark.row("A3")
async def test_a_connection_attempt_that_is_cancelled_leaves_nothing():
    async with answering_peer() as peer, nothing_left():
        peer.hangs = True
        async with transport_to(peer) as transport:
            connecting = asyncio.create_task(transport.connect())
            async with asyncio.timeout(WAIT):
                await peer.asked.wait()
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting


@pytest.mark.parametrize("url", ["nonsense", "stun:", "http://localhost"])
async def test_an_ice_server_that_cannot_be_used_is_an_error(url: str):
    async with answering_peer() as peer:
        server = RTCIceServer(url, username="u", credential="c")
        assert isinstance(await refused(peer, ice_servers=[server]), NegotiationFailed)
        assert peer.offers == []
