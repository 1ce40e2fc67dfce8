"""A voice that asks an OpenAI-compatible server: POST /audio/speech.

It asks for WAV; a server that sends bare samples says so by their type, and they are at 24 kHz (OpenAI: "pcm").
Law: it gives the server's sound or EngineFailed, never a part of it.
"""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.engine_options import Endpoint
from couchvoice.local.engines.endpoint_client import EndpointClient
from couchvoice.local.resample import resample

MAX_SOUND = 32 * 1024 * 1024  # bytes: some minutes

_QUIET = 19.0  # seconds; less than a session waits for a sentence, so that the log names the server
_PCM_RATE = 24_000  # Hz
_PCM_TYPES = frozenset({"audio/pcm", "audio/l16", "application/octet-stream"})
_SAMPLE_BYTES = 2
_MIN_RATE, _MAX_RATE = 8_000, 96_000  # Hz


class SpeechEndpoint:
    """Whoever makes it closes it. Raises ConfigError."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._model = endpoint.model
        self._client = EndpointClient(endpoint, quiet=_QUIET)

    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        """The server finds out the language from the text: the API has no field for it."""
        if not text.strip():
            return AudioFrame(silence(0), SAMPLE_RATE)
        order = {"model": self._model, "input": text.strip(), "voice": voice, "speed": speed, "response_format": "wav"}
        kind, sound = await self._client.post("audio/speech", most=MAX_SOUND, json=order)
        if sound.startswith(b"RIFF"):
            frame = self._from_wav(sound)
        elif kind in _PCM_TYPES:
            frame = AudioFrame(_samples(sound, channels=1), _PCM_RATE)
        else:
            raise self._client.failed(f"its sound is {kind or 'of no type'}, neither WAV nor PCM")
        if not frame.samples.size:
            raise self._client.failed("its sound is empty")
        return resample(frame, SAMPLE_RATE)

    async def close(self) -> None:
        await self._client.close()

    def _from_wav(self, sound: bytes) -> AudioFrame:
        try:
            with wave.open(io.BytesIO(sound)) as wav:
                channels, width, rate = wav.getnchannels(), wav.getsampwidth(), wav.getframerate()
                samples = wav.readframes(wav.getnframes())
        except (wave.Error, EOFError) as exc:
            raise self._client.failed(f"its WAV cannot be read: {exc}") from exc
        if width != _SAMPLE_BYTES or not _MIN_RATE <= rate <= _MAX_RATE:
            raise self._client.failed(f"its WAV has {8 * width} bits at {rate} Hz")
        return AudioFrame(_samples(samples, channels=channels), rate)


def _samples(sound: bytes, *, channels: int) -> NDArray[np.int16]:
    """Mixed down; a broken sample at the end is left out."""
    size = _SAMPLE_BYTES * channels
    frames = np.frombuffer(sound[: len(sound) // size * size], "<i2").reshape(-1, channels)
    mixed: NDArray[np.int16] = frames.mean(axis=1).astype(np.int16)
    return mixed
