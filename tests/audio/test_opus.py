"""libopus itself, through our binding: the real library, no stand-in."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from couchvoice.audio import opus
from couchvoice.audio.frames import FRAME_SAMPLES
from couchvoice.audio.opus import InvalidPacket, OpusDecoder, OpusEncoder, OpusUnavailable, has_fec, packet_samples
from tests.audio.voice import buzz, framed

FRAMES = 60


def voice() -> NDArray[np.int16]:
    return buzz(FRAMES)


@functools.cache
def packets(*, loss: int = 0) -> list[bytes]:
    encoder = OpusEncoder(bitrate=32_000, complexity=5)
    encoder.expect_loss(loss)
    return [encoder.encode(frame) for frame in framed(voice())]


ONE = OpusEncoder(bitrate=32_000, complexity=5).encode(voice()[:FRAME_SAMPLES])


def likeness(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """The greatest correlation over small shifts: a codec delays."""
    a, b = one.astype(float), other.astype(float)
    return max(float(np.corrcoef(a[400:-400], np.roll(b, shift)[400:-400])[0, 1]) for shift in range(-400, 401, 4))


def test_what_is_encoded_is_decoded():
    decoder = OpusDecoder()
    heard = np.concatenate([decoder.decode(packet) for packet in packets()])
    assert heard.size == FRAMES * FRAME_SAMPLES
    assert likeness(voice(), heard) > 0.75


def test_a_packet_says_how_long_it_sounds():
    assert {packet_samples(packet) for packet in packets()} == {FRAME_SAMPLES}
    assert packet_samples(b"") == 0


def test_fec_is_there_when_losses_are_expected_and_brings_the_lost_sound_back():
    assert not any(map(has_fec, packets()))
    protected = packets(loss=20)
    lost = next(i for i in range(20, FRAMES) if has_fec(protected[i + 1]))
    whole, holed, guessing = OpusDecoder(), OpusDecoder(), OpusDecoder()
    for packet in protected[:lost]:
        for decoder in (whole, holed, guessing):
            decoder.decode(packet)
    said = whole.decode(protected[lost]).astype(float)
    recovered = holed.recover(protected[lost + 1], FRAME_SAMPLES).astype(float)
    concealed = guessing.conceal(FRAME_SAMPLES).astype(float)
    assert recovered.size == concealed.size == FRAME_SAMPLES
    assert np.abs(recovered - said).mean() < np.abs(concealed - said).mean()


def test_concealment_goes_on_for_as_long_as_is_asked_and_fades():
    decoder = OpusDecoder()
    for packet in packets()[:30]:
        decoder.decode(packet)
    gone = [int(np.abs(decoder.conceal(FRAME_SAMPLES)).max()) for _ in range(20)]
    assert gone[0] > 1000
    assert gone[-1] < gone[0]


def test_after_a_reset_another_stream_begins():
    decoder, fresh = OpusDecoder(), OpusDecoder()
    some = packets()
    for packet in some[:20]:
        decoder.decode(packet)
    decoder.reset()
    assert np.array_equal(decoder.decode(some[0]), fresh.decode(some[0]))


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_what_is_no_packet_is_refused_and_the_decoder_lives(junk):
    decoder = OpusDecoder()
    with contextlib.suppress(InvalidPacket):
        assert decoder.decode(junk).size == packet_samples(junk)
    assert decoder.decode(ONE).size == FRAME_SAMPLES


@pytest.mark.parametrize(("samples", "dtype"), [(FRAME_SAMPLES - 1, np.int16), (FRAME_SAMPLES, np.float32)])
def test_only_a_frame_of_samples_is_encoded(samples, dtype):
    with pytest.raises(ValueError, match="int16 samples"):
        OpusEncoder(bitrate=32_000, complexity=5).encode(np.zeros(samples, dtype=dtype))


def test_an_impossible_control_is_said():
    with pytest.raises(ValueError, match="refuses"):
        OpusEncoder(bitrate=32_000, complexity=99)


def test_a_machine_without_the_library_is_told_so(monkeypatch):
    monkeypatch.setattr(opus, "_candidates", lambda: iter(["/nowhere/libopus.so"]))
    opus.opus_library.cache_clear()
    try:
        with pytest.raises(OpusUnavailable, match="nowhere"):
            OpusDecoder()
    finally:
        opus.opus_library.cache_clear()
