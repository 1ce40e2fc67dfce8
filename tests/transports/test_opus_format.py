"""FEC is agreed on in the SDP: what we write there, what aiortc makes of it, and what is sent then.

Contracts with aiortc: what it leaves out of a description, which codec it sends, and how it hands out RTCP's reports.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count, pairwise
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket

from couchvoice.audio.frames import FRAME_SAMPLES
from couchvoice.audio.opus import Bandwidth, OpusUnavailable, has_fec, packet_samples
from couchvoice.audio.voice_encoder import LEAST_LOSS, VoiceEncoder
from couchvoice.transports import tracks
from couchvoice.transports.opus_format import agreed_opus, with_inband_fec
from couchvoice.transports.peer import prepare_to_gather
from couchvoice.transports.tracks import SourceTrack
from tests.patience import until
from tests.transports.caller import Caller

FMTP = "a=fmtp:96 minptime=10;useinbandfec=1\r\n"
A_SECOND = 50  # packets

Edit = Callable[[str], str]


def unchanged(sdp: str) -> str:
    return sdp


def only_pcmu(sdp: str) -> str:
    return re.sub(r"a=rtpmap:(96|9|8) .*\r\n", "", sdp.replace("SAVPF 96 9 0 8", "SAVPF 0"))


def spaced(sdp: str) -> str:
    return with_inband_fec(sdp).replace(";useinbandfec", "; useinbandfec")


class Line:
    """A track that is sent, and the packets that come: all are kept, those that ``loses`` names are not heard."""

    def __init__(self, loses: Callable[[int], bool]) -> None:
        self.packets: list[RtpPacket] = []
        self.peers = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2)]
        self._loses = loses

    async def connect(self, track: SourceTrack, offer_as: Edit, answer_as: Edit) -> None:
        here, there = self.peers
        line = here.addTransceiver(track, direction="sendonly")
        prepare_to_gather(here)
        await here.setLocalDescription(await here.createOffer())
        await there.setRemoteDescription(RTCSessionDescription(offer_as(here.localDescription.sdp), "offer"))
        receiver: Any = there.getReceivers()[0]
        hear, number = receiver._handle_rtp_packet, count()

        async def tap(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packets.append(packet)
            if not self._loses(next(number)):
                await hear(packet, arrival_time_ms)

        receiver._handle_rtp_packet = tap
        prepare_to_gather(there)
        await there.setLocalDescription(await there.createAnswer())
        await here.setRemoteDescription(RTCSessionDescription(answer_as(there.localDescription.sdp), "answer"))
        track.encode_opus(here, line, Bandwidth.WIDE)

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self.peers))


@asynccontextmanager
async def sending(
    *,
    offer_as: Edit = unchanged,
    answer_as: Edit = with_inband_fec,
    loses: Callable[[int], bool] = lambda number: False,
) -> AsyncIterator[Line]:
    """A tone goes from one aiortc peer to another."""
    line = Line(loses)
    try:
        await line.connect(SourceTrack(Caller().read), offer_as, answer_as)
        yield line
    finally:
        await line.close()


@pytest.mark.row("P20")
async def test_an_offer_asks_for_fec_once() -> None:
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("audio")
    plain = (await peer.createOffer()).sdp
    assert "a=fmtp" not in plain
    asking = with_inband_fec(plain)
    assert asking.count(FMTP) == asking.count("a=fmtp") == 1
    assert asking.replace(FMTP, "") == plain
    assert with_inband_fec(asking) == asking
    await peer.close()


def test_every_payload_type_of_opus_asks_and_no_other() -> None:
    lines = ("a=rtpmap:0 PCMU/8000", "a=rtpmap:111 OPUS/48000/2", "a=rtpmap:9 opus/48000/2", "a=fmtp:9 stereo=1")
    sdp = "".join(f"{line}\r\n" for line in lines)
    assert with_inband_fec(sdp) == sdp.replace("OPUS/48000/2\r\n", f"OPUS/48000/2\r\n{FMTP.replace('96', '111')}")


@pytest.mark.row("P20")
@pytest.mark.parametrize(
    ("answer_as", "fec"), [(with_inband_fec, True), (spaced, True), (unchanged, False)], ids=["asks", "spaced", "not"]
)
async def test_fec_goes_to_who_asks_for_it(answer_as: Edit, fec: bool) -> None:
    async with sending(answer_as=answer_as) as line:
        await until(lambda: len(line.packets) > 8)
        assert any(has_fec(packet.payload) for packet in line.packets) is fec
        assert {packet_samples(packet.payload) for packet in line.packets} == {FRAME_SAMPLES}
        steps = [later.timestamp - earlier.timestamp for earlier, later in pairwise(line.packets)]
        assert set(steps) == {FRAME_SAMPLES}


async def test_where_another_codec_is_agreed_on_aiortc_encodes() -> None:
    async with sending(offer_as=only_pcmu) as line:
        await until(lambda: len(line.packets) > 2)
        assert {(packet.payload_type, len(packet.payload)) for packet in line.packets} == {(0, 160)}
        assert agreed_opus(line.peers[0], line.peers[0].getTransceivers()[0]) is None


async def test_without_libopus_aiortc_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(bandwidth: Bandwidth, *, fec: bool) -> VoiceEncoder:
        raise OpusUnavailable("nowhere")

    monkeypatch.setattr(tracks, "VoiceEncoder", nowhere)
    async with sending() as line:
        await until(lambda: len(line.packets) > 2)
        assert {packet_samples(packet.payload) for packet in line.packets} == {FRAME_SAMPLES}


@pytest.mark.row("P20")
@pytest.mark.timeout(30)
async def test_what_the_far_end_misses_makes_the_packets_stronger(monkeypatch: pytest.MonkeyPatch) -> None:
    expected: list[int] = []

    class Watched(VoiceEncoder):
        def report_loss(self, share: float) -> None:
            super().report_loss(share)
            expected.append(self.expected_loss)

    monkeypatch.setattr(tracks, "VoiceEncoder", Watched)
    monkeypatch.setattr(tracks, "LOSS_INTERVAL", FRAME_SAMPLES)
    async with sending(loses=lambda number: number % 5 == 3) as line:
        await until(lambda: expected and max(expected) > LEAST_LOSS)
        assert 12 <= max(expected) <= 25
        assert len(expected) <= len(line.packets) / A_SECOND * 2 + 1  # a report is counted once
