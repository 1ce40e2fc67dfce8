"""Recognition by known recordings: an utterance is one of them, several of them joined, or nothing.

Not speech recognition: another speaker with the same words is refused, and so is the same speaker when a fifth of
the sound got lost. That makes the text evidence that the audio path works.
Law: deterministic; a text is given only when the whole utterance is accounted for.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame, silence
from couchvoice.audio.wav import read_wav
from couchvoice.errors import ConfigError
from couchvoice.local.detector import SpeechDetector, SpeechStarted, SpeechStopped
from couchvoice.local.engines import spectrum
from couchvoice.local.engines.alignment import Segment, align
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.resample import RATE

_NEED = 0.70  # share of the recording that must have arrived
_NEED_WEAKEST = 0.25  # and of its weakest 160 ms: catches one wrong word
_LOOSE = 0.2  # s of speech that no recording explains: a hole
_AROUND_HOLE = 0.25  # s, heard again with the hole
_HOLE = 0.3  # s, shorter ones are not heard again
_SHORTEST = 0.1  # s
_LONGEST = 60.0  # s, beyond that the search needs too much memory
_MARK = "[…]"  # stands for a hole
_END = 1.0  # s of silence after a WAV, so that its last utterance ends


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """An utterance that may be spoken, and its text."""

    text: str
    samples: NDArray[np.int16]
    rate: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the utterance, in seconds; ``text`` is None for one that is not accepted.

    ``loose``: how much speech is in it that no recording explains.
    """

    text: str | None
    start: float
    end: float
    share: float
    nearest: str
    loose: float = 0.0


class KnownRecordings:
    """Hears the recordings that it knows. Many threads may ask; of those who teach, one at a time."""

    def __init__(self, known: Sequence[Recording]) -> None:
        self._texts: list[str] = []
        self._spectra: list[NDArray[np.float32]] = []
        self.learn(known)

    def learn(self, more: Sequence[Recording]) -> None:
        """Blocking. What is already being heard may be heard without them."""
        # The texts first: whoever asks meanwhile finds one for each spectrum that he sees.
        self._texts += [recording.text for recording in more]
        self._spectra += [spectrum.trimmed(spectrum.levels(item.samples, item.rate)) for item in more]

    def hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        """Blocking: about 50 ms of CPU for an utterance of 2 s. Never raises."""
        parts = self._parts(samples, rate)
        if len(parts) > 1:
            parts = list(itertools.chain.from_iterable(self._again(part, samples, rate) for part in parts))
        if not parts:
            return NOTHING
        nearest = " ".join(part.text or part.nearest for part in parts)
        complete = all(part.text is not None for part in parts)
        return Heard(nearest if complete else None, min(part.share for part in parts), nearest)

    def _again(self, part: _Part, samples: NDArray[np.int16], rate: int) -> list[_Part]:
        """A hole, heard alone: its speaker may be quieter than the others."""
        if part.text is not None or part.end - part.start <= _HOLE:
            return [part]
        start, end = max(0.0, part.start - _AROUND_HOLE), part.end + _AROUND_HOLE
        alone = self._parts(samples[int(start * rate) : int(end * rate)], rate)
        if all(found.text is None for found in alone):
            return [part]
        # What was added around the hole is its neighbours' speech, and no hole by itself.
        return [found for found in alone if found.text is not None or found.loose > _AROUND_HOLE + _LOOSE]

    def _parts(self, samples: NDArray[np.int16], rate: int) -> list[_Part]:
        if not self._spectra or not _SHORTEST <= len(samples) / rate <= _LONGEST:
            return []
        found = align(spectrum.levels(samples, rate), self._spectra)
        parts: list[_Part] = []
        explained = 0
        nothing = Segment(found.nearest, len(found.speech), len(found.speech), found.nearest_share, 0.0)
        for segment in (*found.segments, nothing):
            loose = float(found.speech[explained : segment.start].sum()) * spectrum.HOP
            if loose > _LOOSE:
                nearest = _MARK if found.segments else self._texts[found.nearest]
                share = 0.0 if found.segments else found.nearest_share
                start, end = explained * spectrum.HOP, segment.start * spectrum.HOP
                parts.append(_Part(None, start, end, share, nearest, loose))
            if segment is not nothing:
                parts.append(self._part(segment))
            explained = segment.end
        return parts

    def _part(self, segment: Segment) -> _Part:
        text = self._texts[segment.index]
        accepted = segment.share >= _NEED and segment.weakest >= _NEED_WEAKEST
        start, end = segment.start * spectrum.HOP, segment.end * spectrum.HOP
        return _Part(text if accepted else None, start, end, segment.share, text)


def load_recordings(wavs: Sequence[Path]) -> list[Recording]:
    """The utterances of each NAME.wav, cut as the server will cut them, with the lines of NAME.txt beside it.

    Raises ConfigError for a file that cannot be read or does not fit its text.
    """
    return list(itertools.chain.from_iterable(_load(wav) for wav in wavs))


def _load(wav: Path) -> list[Recording]:
    texts = _lines(wav.with_suffix(".txt"))
    utterances = _utterances(read_wav(wav, rate=RATE).samples)
    if len(texts) != len(utterances):
        raise ConfigError(
            f"{wav} has {len(utterances)} utterances, but {wav.stem}.txt beside it has {len(texts)} lines"
        )
    return [Recording(text, samples, RATE) for text, samples in zip(texts, utterances, strict=True)]


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"cannot read {path} (the text of the WAV beside it, a line for each utterance): {exc}"
        ) from exc
    return [line.strip() for line in text.splitlines() if line.strip()]


def _utterances(samples: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    detector = SpeechDetector()
    starts: list[int] = []
    found: list[NDArray[np.int16]] = []
    for event in detector.feed(AudioFrame(np.concatenate([samples, silence(int(_END * RATE))]), RATE)):
        match event:
            case SpeechStarted(start_ms):
                starts.append(start_ms)
            case SpeechStopped(end_ms):
                found.append(samples[starts[-1] * RATE // 1000 : end_ms * RATE // 1000])
    return found
