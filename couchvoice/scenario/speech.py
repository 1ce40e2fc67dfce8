"""The sound of what a script says: recordings as they are, texts as the voice of this machine speaks them.

Law: all of it is made before the talk, and what the local server is to recognize it gets as recordings: the words that
it writes down are evidence that the sound arrived.
"""

from __future__ import annotations

import re
import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AUDIBLE_PEAK, SAMPLE_RATE, AudioFrame, is_audible, silence
from couchvoice.audio.resample import Resampler
from couchvoice.audio.wav import read_wav
from couchvoice.errors import ConfigError
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script import Say

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_BETWEEN_SENTENCES = 0.15  # seconds; a server hears one utterance
_LOUDEST = np.iinfo(np.int16).max
_DB_PER_DECADE = 20.0
_SAMPLE_BYTES = 2


@dataclass(slots=True)
class Speech:
    """``sounds`` at 48 kHz by the path of what is said. ``recordings``: WAVs with their text beside them.

    ``unknown``: WAVs without one, which only a recognizer of phrases can hear.
    """

    sounds: dict[str, NDArray[np.int16]] = field(default_factory=dict)
    recordings: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)


async def prepared_speech(scenario: Scenario, folder: Path) -> Speech:
    """``folder`` takes what is synthesized. Raises ConfigError."""
    speech = Speech()
    spoken: dict[Say, NDArray[np.int16]] = {}
    for path, say in scenario.sayings():
        if say not in spoken:
            try:
                spoken[say] = await sound_of(say, folder / f"said-{len(spoken)}.wav", speech)
            except ConfigError as exc:
                scenario.refuse(path, str(exc))
        speech.sounds[path] = spoken[say]
    for wav in scenario.script.recordings:
        _know(Path(wav), speech)
    return speech


async def sound_of(say: Say, file: Path, speech: Speech) -> NDArray[np.int16]:
    """At 48 kHz. ``file`` takes it when it is synthesized; ``speech`` is told of the recording. Raises ConfigError."""
    if say.wav is not None:
        _know(Path(say.wav), speech)
        return _louder(read_wav(say.wav).samples, say.gain_db)
    assert say.text is not None  # a Say has either
    samples = await _synthesized(say, say.text)
    if not is_audible(samples):
        raise ConfigError(f'"{say.text}" makes no sound: write words, or silence')
    _write(file, samples)
    file.with_suffix(".txt").write_text(say.text + "\n", encoding="utf-8")
    speech.recordings.append(file)
    return _louder(samples, say.gain_db)


def _know(wav: Path, speech: Speech) -> None:
    known = speech.recordings if wav.with_suffix(".txt").exists() else speech.unknown
    if wav not in known:
        known.append(wav)


async def _synthesized(say: Say, text: str) -> NDArray[np.int16]:
    from couchvoice.embedded import new_voice

    voice = new_voice()
    sentences: list[NDArray[np.int16]] = []
    # Sentence by sentence: a voice's own pause between them may be long enough for the end of a turn.
    for sentence in _SENTENCE_END.split(text.strip()):
        frame = await voice.speak(sentence, voice=say.voice, speed=say.speed)
        sentences += [_trimmed(_at_48k(frame)), silence(int(_BETWEEN_SENTENCES * SAMPLE_RATE))]
    return np.concatenate(sentences)


def _at_48k(frame: AudioFrame) -> NDArray[np.int16]:
    resampler = Resampler(frame.rate, SAMPLE_RATE)
    return np.concatenate([resampler.push(frame.samples), resampler.flush()])


def _trimmed(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Without the voice's silence at both ends."""
    (loud,) = np.nonzero(np.abs(samples.astype(np.int32)) > AUDIBLE_PEAK)
    return samples[int(loud[0]) : int(loud[-1]) + 1] if loud.size else samples


def _louder(samples: NDArray[np.int16], gain_db: float) -> NDArray[np.int16]:
    if not gain_db:
        return samples
    louder = samples.astype(np.float32) * np.float32(10 ** (gain_db / _DB_PER_DECADE))
    clipped: NDArray[np.int16] = np.clip(louder, -_LOUDEST, _LOUDEST).astype(np.int16)
    return clipped


def _write(file: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(_SAMPLE_BYTES)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(samples.astype("<i2").tobytes())
