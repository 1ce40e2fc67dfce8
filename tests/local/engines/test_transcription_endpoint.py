"""An utterance goes to a server as a WAV and comes back as words."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.engines.transcription_endpoint import TranscriptionEndpoint
from tests.local.engines.far_end import KEY, MODEL, FarEnd, far_end

SOUND = AudioFrame(np.full(SAMPLE_RATE, 1000, np.int16), SAMPLE_RATE)


@pytest.fixture
async def end() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


@pytest.fixture
async def recognizer(end: FarEnd) -> AsyncIterator[TranscriptionEndpoint]:
    recognizer = TranscriptionEndpoint(end.endpoint)
    yield recognizer
    await recognizer.close()


async def test_the_words_of_an_utterance_are_the_servers(end: FarEnd, recognizer: TranscriptionEndpoint) -> None:
    assert await recognizer.hear(SOUND) == Heard(end.heard, 1.0, end.heard)
    assert end.asked == [{"model": MODEL, "response_format": "json"}]
    assert end.authorizations == {f"Bearer {KEY}"}
    with wave.open(io.BytesIO(end.sound)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate(), wav.getnframes()) == (1, 2, 16_000, 16_000)


async def test_the_language_is_told(end: FarEnd, recognizer: TranscriptionEndpoint) -> None:
    await recognizer.hear(SOUND, language="de")
    assert end.asked[0]["language"] == "de"


@pytest.mark.parametrize("text", ["", " \n"])
async def test_no_words_are_nothing(end: FarEnd, recognizer: TranscriptionEndpoint, text: str) -> None:
    end.heard = text
    assert await recognizer.hear(SOUND) == NOTHING


async def test_no_sound_is_not_sent(end: FarEnd, recognizer: TranscriptionEndpoint) -> None:
    assert await recognizer.hear(AudioFrame(silence(0), SAMPLE_RATE)) == NOTHING
    assert end.asked == []


async def test_an_answer_without_words_is_a_failure(end: FarEnd, recognizer: TranscriptionEndpoint) -> None:
    async def other(_: Request) -> Response:
        return JSONResponse({"text": ["a"]})

    end.instead = other
    with pytest.raises(EngineFailed, match="its answer has no text"):
        await recognizer.hear(SOUND)
