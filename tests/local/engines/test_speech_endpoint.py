"""A sentence goes to a server and comes back as sound of 48 kHz."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import Response

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.speech_endpoint import SpeechEndpoint
from tests.local.engines.far_end import KEY, MODEL, FarEnd, far_end, tone, wav

TEXT = "It is raining in Cork."


@pytest.fixture
async def end() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


@pytest.fixture
async def voice(end: FarEnd) -> AsyncIterator[SpeechEndpoint]:
    voice = SpeechEndpoint(end.endpoint)
    yield voice
    await voice.close()


def sending(body: bytes, kind: str, end: FarEnd) -> None:
    async def answer(_: Request) -> Response:
        return Response(body, media_type=kind)

    end.instead = answer


def seconds(frame: AudioFrame) -> float:
    return frame.samples.size / frame.rate


async def test_a_sentence_is_spoken_at_the_speed_that_is_asked_for(end: FarEnd, voice: SpeechEndpoint) -> None:
    frame = await voice.speak(TEXT, voice="cedar", speed=0.5)
    assert frame.rate == SAMPLE_RATE
    assert seconds(frame) == pytest.approx(0.05 * len(TEXT) / 0.5, abs=0.01)
    assert np.abs(frame.samples).max() > 7000
    assert end.asked == [{"model": MODEL, "input": TEXT, "voice": "cedar", "speed": 0.5, "response_format": "wav"}]
    assert end.authorizations == {f"Bearer {KEY}"}


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_sentence_is_not_sent(end: FarEnd, voice: SpeechEndpoint, text: str) -> None:
    assert (await voice.speak(text, voice="cedar")).samples.size == 0
    assert end.asked == []


@pytest.mark.parametrize("kind", ["audio/pcm", "audio/pcm; rate=24000", "application/octet-stream"])
async def test_bare_samples_are_at_24_khz(end: FarEnd, voice: SpeechEndpoint, kind: str) -> None:
    sending(np.full(24_000, 1000, "<i2").tobytes() + b"x", kind, end)
    assert seconds(await voice.speak(TEXT, voice="cedar")) == pytest.approx(1.0, abs=0.01)


async def test_two_channels_are_mixed(end: FarEnd, voice: SpeechEndpoint) -> None:
    both = np.stack([np.full(16_000, 1000), np.full(16_000, 3000)], axis=1).astype(np.int16)
    sending(wav(both.reshape(-1), rate=16_000, channels=2), "audio/x-wav", end)
    frame = await voice.speak(TEXT, voice="cedar")
    assert seconds(frame) == pytest.approx(1.0, abs=0.01)
    assert np.median(frame.samples) == pytest.approx(2000, abs=20)


async def test_a_wav_of_unknown_length_is_read_to_its_end(end: FarEnd, voice: SpeechEndpoint) -> None:
    streamed = bytearray(wav(tone(1.0)))
    streamed[4:8] = streamed[40:44] = b"\xff\xff\xff\xff"
    sending(bytes(streamed), "audio/wav", end)
    assert seconds(await voice.speak(TEXT, voice="cedar")) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "audio/pcm", "its sound is empty"),
        (wav(tone(0)), "audio/wav", "its sound is empty"),
        (b"RIFF\x00", "audio/wav", "cannot be read"),
        (wav(tone(1))[:30], "audio/wav", "cannot be read"),
        (wav(tone(1), rate=1), "audio/wav", "16 bits at 1 Hz"),
        (b"ID3\x04", "audio/mpeg", "its sound is audio/mpeg"),
        (b'{"error": 1}', "application/json", "its sound is application/json"),
    ],
)
async def test_what_is_no_sound_is_a_failure(
    end: FarEnd, voice: SpeechEndpoint, body: bytes, kind: str, reason: str
) -> None:
    sending(body, kind, end)
    with pytest.raises(EngineFailed, match=reason):
        await voice.speak(TEXT, voice="cedar")
