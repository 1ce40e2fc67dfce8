"""A recognizer that asks an OpenAI-compatible server: POST /audio/transcriptions.

Law: it says what the server heard, or EngineFailed; it never makes up words.
"""

from __future__ import annotations

import io
import wave

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engine_options import Endpoint
from couchvoice.local.engines.endpoint_client import EndpointClient
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.resample import RATE, resample

_QUIET = 14.0  # seconds; less than a session waits for the words, so that the log names the server
_SAMPLE_BYTES = 2


class TranscriptionEndpoint:
    """Whoever makes it closes it. Raises ConfigError."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._model = endpoint.model
        self._client = EndpointClient(endpoint, quiet=_QUIET)

    async def hear(self, sound: AudioFrame, *, language: str | None = None) -> Heard:
        if not sound.samples.size:
            return NOTHING
        fields = {"model": self._model, "response_format": "json"}
        if language:
            fields["language"] = language
        answer = await self._client.post_for_object(
            "audio/transcriptions", data=fields, files={"file": ("utterance.wav", _wav(sound), "audio/wav")}
        )
        text = answer.get("text")
        if not isinstance(text, str):
            raise self._client.failed("its answer has no text")
        text = text.strip()
        return Heard(text, share=1.0, nearest=text) if text else NOTHING

    async def close(self) -> None:
        await self._client.close()


def _wav(sound: AudioFrame) -> bytes:
    """16 kHz, one channel, 16 bit: what Whisper and its kin listen at."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(_SAMPLE_BYTES)
        wav.setframerate(RATE)
        wav.writeframes(resample(sound, RATE).samples.astype("<i2").tobytes())
    return file.getvalue()
