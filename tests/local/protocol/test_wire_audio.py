"""Sound inside events: what a client may append, and in what pieces it is answered; G.711 against FFmpeg's."""

from __future__ import annotations

import base64

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.protocol.bad_event import BadEvent
from couchvoice.local.protocol.g711 import A_LAW, MU_LAW, Law
from couchvoice.local.protocol.wire_audio import CHUNK_MS, MAX_APPEND, chunks_for_wire, frame_from_wire

ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)
ALL_CODES = bytes(range(256))
LAWS = [(MU_LAW, "pcm_mulaw"), (A_LAW, "pcm_alaw")]
FORMATS = ["audio/pcm", "audio/pcmu", "audio/pcma"]


def decoded_by_ffmpeg(codec: str, codes: bytes) -> NDArray[np.int16]:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = 8000, "mono"
    frames = decoder.decode(av.Packet(codes))
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int16)


@pytest.mark.row("O6")
@pytest.mark.parametrize(("law", "codec"), LAWS)
def test_each_code_has_the_value_that_ffmpeg_gives_it(law: Law, codec: str) -> None:
    assert law.decode(ALL_CODES).tolist() == decoded_by_ffmpeg(codec, ALL_CODES).tolist()


@pytest.mark.parametrize(("law", "codec"), LAWS)
def test_each_sample_becomes_the_nearest_value(law: Law, codec: str) -> None:
    values = np.unique(law.decode(ALL_CODES).astype(np.int32))
    chosen = law.decode(law.encode(ALL_SAMPLES)).astype(np.int32)
    nearest = np.abs(ALL_SAMPLES.astype(np.int32)[:, None] - values).min(axis=1)
    assert np.array_equal(np.abs(ALL_SAMPLES - chosen), nearest)


@pytest.mark.parametrize(("law", "silent"), [(MU_LAW, 0xFF), (A_LAW, 0xD5)])
def test_silence_looks_as_it_does_on_a_telephone_line(law: Law, silent: int) -> None:
    assert set(law.encode(silence(10))) == {silent}


@pytest.mark.row("B3", "O6")
@pytest.mark.parametrize("form", FORMATS)
def test_what_is_sent_can_be_appended_again(form: str) -> None:
    tone = (8000 * np.sin(np.arange(SAMPLE_RATE) / 40)).astype(np.int16)
    chunks = chunks_for_wire(AudioFrame(tone, SAMPLE_RATE), form)
    frames = [frame_from_wire(chunk, form) for chunk in chunks]
    assert len(chunks) == 1000 // CHUNK_MS
    assert {frame.samples.size * 1000 // frame.rate for frame in frames} == {CHUNK_MS}
    assert np.abs(np.concatenate([frame.samples for frame in frames])).max() == pytest.approx(8000, rel=0.05)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_sent_as_nothing(form: str) -> None:
    assert chunks_for_wire(AudioFrame(silence(0), SAMPLE_RATE), form) == []
    assert frame_from_wire("", form).samples.size == 0


@pytest.mark.row("B3")
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", ["?", "é", "A", "AAAA\n", "A" * (MAX_APPEND + 4)])
def test_what_is_no_base64_is_refused(text: str, form: str) -> None:
    with pytest.raises(BadEvent) as refused:
        frame_from_wire(text, form)
    assert (refused.value.code, refused.value.param) == ("invalid_value", "audio")


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(BadEvent):
        frame_from_wire(base64.b64encode(b"abc").decode(), "audio/pcm")
