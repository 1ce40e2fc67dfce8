"""The packets of the voice: what they cost, what they survive, and how reports of loss change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, silence
from couchvoice.audio.opus import Bandwidth, OpusDecoder, has_fec, packet_samples
from couchvoice.audio.voice_encoder import BITRATE, LEAST_LOSS, MOST_LOSS, VoiceEncoder
from tests.audio.voice import buzz, framed

SPEECH = framed(buzz(100))
SPOKEN = 0.6  # the share of packets whose sound is loud enough to be worth a copy
CODEC_SILENCE = 1  # of 32767
MUFFLED = 3  # frames in which the last word dies away


def encoded(encoder: VoiceEncoder) -> list[bytes]:
    return [encoder.encode(frame) for frame in SPEECH]


@pytest.mark.row("P20")
@pytest.mark.parametrize("bandwidth", [Bandwidth.WIDE, Bandwidth.SUPERWIDE])
def test_who_asks_for_fec_gets_it_before_anything_was_lost(bandwidth: Bandwidth) -> None:
    packets = encoded(VoiceEncoder(bandwidth, fec=True))
    assert sum(map(has_fec, packets)) / len(packets) > SPOKEN
    assert {packet_samples(packet) for packet in packets} == {FRAME_SAMPLES}


@pytest.mark.row("P20")
def test_who_does_not_ask_gets_none_whatever_is_lost() -> None:
    encoder = VoiceEncoder(Bandwidth.WIDE, fec=False)
    encoder.report_loss(0.5)
    assert not any(map(has_fec, encoded(encoder)))
    assert encoder.expected_loss == 0


@pytest.mark.parametrize("fec", [True, False])
def test_it_spends_no_more_than_its_bit_rate(fec: bool) -> None:
    packets = encoded(VoiceEncoder(Bandwidth.WIDE, fec=fec))
    kilobits = sum(map(len, packets)) * 8 / (len(packets) * FRAME_MS)
    assert kilobits <= 1.1 * BITRATE / 1000


def test_silence_is_heard_as_silence() -> None:
    encoder, decoder = VoiceEncoder(Bandwidth.WIDE, fec=True), OpusDecoder()
    for packet in encoded(encoder):
        decoder.decode(packet)
    heard = [decoder.decode(encoder.encode(silence(FRAME_SAMPLES))) for _ in range(50)]
    assert np.abs(np.concatenate(heard[MUFFLED:])).max() <= CODEC_SILENCE


def test_loss_is_believed_at_once_and_forgotten_slowly() -> None:
    encoder = VoiceEncoder(Bandwidth.WIDE, fec=True)
    encoder.report_loss(0.2)
    assert encoder.expected_loss == 20
    encoder.report_loss(0.0)
    assert 15 < encoder.expected_loss < 20
    for _ in range(60):
        encoder.report_loss(0.0)
    assert encoder.expected_loss == LEAST_LOSS


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), max_size=20))
def test_what_is_expected_is_never_less_than_what_was_just_lost(shares: list[float]) -> None:
    encoder = VoiceEncoder(Bandwidth.WIDE, fec=True)
    for share in shares:
        encoder.report_loss(share)
        assert LEAST_LOSS <= encoder.expected_loss <= MOST_LOSS
        assert encoder.expected_loss >= min(round(100 * share), MOST_LOSS)
    assert packet_samples(encoder.encode(SPEECH[0])) == FRAME_SAMPLES
