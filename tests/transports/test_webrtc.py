"""The WebRTC transport against a real aiortc peer on this machine: a call that comes about, and how it ends."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from couchvoice.audio.frames import AudioFrame
from couchvoice.errors import ConnectionLost, NotConnected
from couchvoice.transports import webrtc
from couchvoice.transports.webrtc import WebRTCTransport
from tests.audio.tones import strongest_hertz
from tests.leftovers import nothing_left
from tests.patience import WAIT, until
from tests.transports.answering_peer import CALL_ID, PITCH, SECRET, AnsweringPeer, answering_peer
from tests.transports.caller import PITCH as OUR_PITCH
from tests.transports.caller import Caller, transport_to

HALF_A_SECOND = 25  # frames
PAUSE = 15  # frames, which the receiver's buffer needs to fill


async def next_event(transport: WebRTCTransport) -> str | bytes:
    async with asyncio.timeout(WAIT):
        return await anext(transport.events())


async def connected(transport: WebRTCTransport, peer: AnsweringPeer) -> None:
    await transport.connect()
    async with asyncio.timeout(WAIT):
        await peer.opened.wait()


@pytest.mark.row("A1", "P2")
async def test_the_offer_has_one_opus_line_both_ways_and_a_data_channel_and_asks_no_stun_server():
    async with answering_peer() as peer, transport_to(peer) as transport:
        await transport.connect()
    lines = peer.offers[0].sdp.splitlines()
    media = [line.split()[0] for line in lines if line.startswith("m=")]
    assert media == ["m=audio", "m=application"]
    assert [line for line in lines if line in ("a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive")] == [
        "a=sendrecv"
    ]
    codecs = {line.split()[1].split("/")[0] for line in lines if line.startswith("a=rtpmap:")}
    assert codecs == {"opus"}
    kinds = {line.split()[7] for line in lines if line.startswith("a=candidate:")}
    assert kinds == {"host"}


@pytest.mark.row("A2")
async def test_the_secret_goes_into_the_authorization_header_and_nowhere_else():
    async with answering_peer() as peer, transport_to(peer) as transport:
        await transport.connect()
        assert transport.call_id == CALL_ID
    (offer,) = peer.offers
    assert offer.headers.pop("authorization") == f"Bearer {SECRET}"
    assert offer.headers["content-type"] == "application/sdp"
    assert SECRET not in json.dumps(offer.headers) + offer.sdp + offer.query


@pytest.mark.row("A1")
async def test_sound_flows_both_ways():
    caller = Caller()
    async with answering_peer() as peer, transport_to(peer, caller) as transport:
        await transport.connect()
        heard = await caller.wait_until_heard(PAUSE + HALF_A_SECOND)
        await peer.wait_for(lambda: len(peer.heard) >= PAUSE + HALF_A_SECOND)
    assert {(frame.samples.size, frame.rate) for frame in caller.heard} == {(960, 48_000)}
    assert strongest_hertz(heard[-HALF_A_SECOND * 960 :]) == pytest.approx(PITCH, abs=5)
    said = np.concatenate(peer.heard[-HALF_A_SECOND:])
    assert strongest_hertz(said) == pytest.approx(OUR_PITCH, abs=5)


async def test_events_go_both_ways_in_order():
    async with answering_peer() as peer, transport_to(peer) as transport:
        await connected(transport, peer)
        for number in range(20):
            peer.send("seq", number=number)
            transport.send(json.dumps({"type": "seq", "number": number}))
        received = [json.loads(await next_event(transport)) for _ in range(20)]
        await peer.wait_for(lambda: len(peer.messages) == 20)
        assert [event["number"] for event in received] == list(range(20))
        assert [event["number"] for event in peer.events] == list(range(20))


@pytest.mark.parametrize("payload", [b"\xff\xfe not text", b"\x80", "ä".encode()[:1]], ids=["bom", "byte", "cut"])
async def test_text_that_is_no_utf8_comes_as_bytes_and_the_call_lives(payload: bytes):
    async with answering_peer() as peer, transport_to(peer) as transport:
        await connected(transport, peer)
        await peer.send_as_text(payload)
        peer.send("still here")
        assert await next_event(transport) == payload
        assert json.loads(await next_event(transport))["type"] == "still here"


async def test_a_binary_message_comes_as_bytes_and_a_big_or_empty_one_as_it_is():
    async with answering_peer() as peer, transport_to(peer) as transport:
        await connected(transport, peer)
        big = "x" * 200_000
        for message in (b"\x00\x01", "", big):
            peer.send_raw(message)
        assert [await next_event(transport) for _ in range(3)] == [b"\x00\x01", "", big]


async def test_an_exception_in_whoever_hears_is_the_end_of_no_call(caplog: pytest.LogCaptureFixture):
    async with answering_peer() as peer, transport_to(peer) as transport:
        await connected(transport, peer)
        transport._events.put_nowait = _refuse  # type: ignore[method-assign]  # the only code that runs in the handler
        peer.send("bad luck")
        peer.on_event = lambda event: peer.send("answer")
        await until(lambda: "a handler failed" in caplog.text)
        del transport._events.put_nowait  # type: ignore[method-assign]
        transport.send('{"type": "ping"}')
        assert json.loads(await next_event(transport))["type"] == "answer"


def _refuse(event: object) -> None:
    raise RuntimeError("told to fail")


@pytest.mark.row("A3")
@pytest.mark.parametrize("whose", ["channel", "peer"])
async def test_a_far_end_that_closes_is_a_lost_connection_and_nothing_stays_behind(whose: str):
    async with answering_peer() as peer, nothing_left():
        async with transport_to(peer) as transport:
            await connected(transport, peer)
            peer.send("last words")
            assert json.loads(await next_event(transport))["type"] == "last words"
            if whose == "channel":
                assert peer.channel is not None  # it is open
                peer.channel.close()
            else:
                await peer.peer.close()
            with pytest.raises(ConnectionLost):
                await next_event(transport)
            if whose == "channel":
                with pytest.raises(ConnectionLost):
                    transport.send("{}")
        await peer.close()


async def test_nothing_can_be_sent_before_the_connection_nor_after_its_end():
    async with answering_peer() as peer, transport_to(peer) as transport:
        with pytest.raises(NotConnected):
            transport.send("{}")
        await connected(transport, peer)
        await transport.close()
        with pytest.raises(ConnectionLost):
            transport.send("{}")


@pytest.mark.row("A10")
async def test_closing_ends_the_events_and_tells_the_far_end_and_counts_once():
    async with answering_peer() as peer, nothing_left():
        async with transport_to(peer) as transport:
            await connected(transport, peer)
            await asyncio.gather(*(transport.close() for _ in range(5)))
            for _ in range(5):
                await transport.close()
            assert [event async for event in transport.events()] == []
            async with asyncio.timeout(WAIT):
                await peer.gone.wait()
        await peer.close()


async def test_a_close_that_is_cancelled_is_finished_by_the_next_one():
    async with answering_peer() as peer, nothing_left(), transport_to(peer) as transport:
        await connected(transport, peer)
        closing = asyncio.create_task(transport.close())
        await asyncio.sleep(0)  # it has begun
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await transport.close()
        # A peer that was left half-closed would tell nobody.
        async with asyncio.timeout(WAIT):
            await peer.gone.wait()
        await peer.close()


@pytest.mark.row("A10")
async def test_a_transport_that_was_never_connected_closes_in_peace():
    async with answering_peer() as peer, nothing_left(), transport_to(peer) as transport:
        await transport.close()
        await transport.close()


async def test_a_reader_that_stopped_reading_learns_that_the_call_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webrtc, "MAX_WAITING_EVENTS", 5)
    async with answering_peer() as peer, transport_to(peer) as transport:
        await connected(transport, peer)
        for number in range(8):
            peer.send("unread", number=number)
        await peer.flushed()
        with pytest.raises(ConnectionLost, match="not read in time"):
            [event async for event in transport.events()]


@pytest.mark.row("O4")
async def test_a_machine_with_loopback_only_connects(monkeypatch: pytest.MonkeyPatch):
    async with answering_peer() as peer, transport_to(peer) as transport:
        # The far end, stock aiortc, would not find itself there.
        monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: ["127.0.0.1"] if peer.offers else [])
        await transport.connect()
    candidates = [line.split()[4] for line in peer.offers[0].sdp.splitlines() if line.startswith("a=candidate:")]
    assert set(candidates) == {"127.0.0.1"}


async def test_sound_that_cannot_be_decoded_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webrtc, "tap_packets", lambda *_: False)
    caller = Caller()
    async with answering_peer() as peer, transport_to(peer, caller) as transport:
        caller.on_frame = _fail_to_decode
        await transport.connect()
        with pytest.raises(ConnectionLost, match="cannot be decoded"):
            await next_event(transport)


def _fail_to_decode(frame: AudioFrame) -> None:
    raise ValueError("as av does")
