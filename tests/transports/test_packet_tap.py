"""The tap on aiortc's receiver, on real calls: what comes through, what the far end learns, what goes on without."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from aiortc import RTCRtpReceiver

from couchvoice.audio.frames import FRAME_SAMPLES
from couchvoice.audio.opus import OpusUnavailable, packet_samples
from couchvoice.transports import packet_tap
from couchvoice.transports.packet_tap import tap_packets
from tests.audio.probes import strongest_hertz
from tests.transports.answering_peer import PITCH, AnsweringPeer, answering_peer
from tests.transports.caller import Caller, transport_to

SOME = 40  # packets


async def losses(peer: AnsweringPeer) -> int:
    """How many of its packets the far end believes lost, by our RTCP reports."""
    (sender,) = peer.peer.getSenders()
    reports = [report for report in (await sender.getStats()).values() if report.type == "remote-inbound-rtp"]
    return max((report.packetsLost for report in reports), default=0)


@pytest.mark.row("P20")
async def test_packets_come_as_they_were_sent_and_the_far_end_learns_of_its_losses():
    """Fails with an aiortc that keeps its receiver's state elsewhere: see the names at the tap's head."""
    caller = Caller()
    async with answering_peer() as peer, transport_to(peer, caller) as transport:
        await transport.connect()
        await caller.wait_until_heard(SOME)
        (receiver,) = transport._peer.getReceivers()
        _lose_every(4, receiver)
        while not await losses(peer):
            await caller.wait_until_heard(len(caller.heard) + 10)
    assert {packet_samples(packet.payload) for packet in caller.packets} == {FRAME_SAMPLES}
    whole = caller.packets[:SOME]
    for before, after in itertools.pairwise(whole):
        assert (after.sequence - before.sequence) % 2**16 == 1
        assert (after.timestamp - before.timestamp) % 2**32 == FRAME_SAMPLES
    heard = np.concatenate([frame.samples for frame in caller.heard[SOME // 2 : SOME]])
    assert strongest_hertz(heard) == pytest.approx(PITCH, abs=5)


@pytest.mark.parametrize("missing", ["_CODECS", "_STREAMS", "_SOURCES", "_HANDLE"])
async def test_another_aiortc_is_left_to_its_own_means(missing, monkeypatch):
    monkeypatch.setattr(packet_tap, missing, "_moved_elsewhere")
    caller = Caller()
    async with answering_peer() as peer, transport_to(peer, caller) as transport:
        await transport.connect()
        heard = await caller.wait_until_heard(SOME)
    assert caller.packets == []
    assert strongest_hertz(heard[-20 * FRAME_SAMPLES :]) == pytest.approx(PITCH, abs=5)


async def test_a_machine_without_libopus_hears_by_aiortcs_means(monkeypatch):
    def none_here() -> None:
        raise OpusUnavailable("none here")

    monkeypatch.setattr(packet_tap, "opus_library", none_here)
    caller = Caller()
    async with answering_peer() as peer, transport_to(peer, caller) as transport:
        await transport.connect()
        await caller.wait_until_heard(5)
    assert caller.packets == []


async def test_what_is_not_opus_goes_aiortcs_way():
    seen = []

    class Receiver:
        _enabled = True
        _RTCRtpReceiver__codecs: dict[int, object] = {}  # noqa: RUF012  # it stands in for an instance's
        _RTCRtpReceiver__remote_streams: dict[int, object] = {}  # noqa: RUF012
        _RTCRtpReceiver__active_ssrc: dict[int, object] = {}  # noqa: RUF012

        async def _handle_rtp_packet(self, packet, arrival_time_ms):
            seen.append((packet, arrival_time_ms))

    class Packet:
        payload_type = 0

    receiver, packet = Receiver(), Packet()
    assert tap_packets(receiver, lambda packet: pytest.fail("it is no Opus"))
    await receiver._handle_rtp_packet(packet, arrival_time_ms=5)
    assert seen == [(packet, 5)]


def _lose_every(nth: int, receiver: RTCRtpReceiver) -> None:
    """Drop before the tap what the network might have dropped."""
    tapped = receiver._handle_rtp_packet

    async def lossy(packet, arrival_time_ms):
        if packet.sequence_number % nth:
            await tapped(packet, arrival_time_ms=arrival_time_ms)

    receiver._handle_rtp_packet = lossy
