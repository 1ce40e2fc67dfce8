"""Recognition by a closed grammar: which of the known phrases was said, by whatever voice.

For a live microphone. It hears the nearest phrase in much that is none of them, so its text proves nothing about the
audio path; recordings.py does that. English only, for the model of pocketsphinx is.
Law: deterministic, and silent on stderr.
"""

from __future__ import annotations

import logging
import math
import os
import re
import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.missing import MissingPart
from couchvoice.local.resample import RATE, resample

_BEAM, _WORD_BEAM = 1e-80, 1e-60  # how unlikely a path may become before it is dropped
_NEED = -4.4e-3  # mean log score of a frame; known phrases reach it, half of all else does not
_SEED = 1  # of the dither
_GRAMMAR = "phrases"
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

_log = logging.getLogger("couchvoice.local")


class _Hypothesis(Protocol):
    hypstr: str
    best_score: float


class _Decoder(Protocol):
    """What is used of pocketsphinx.Decoder."""

    def lookup_word(self, word: str) -> str | None: ...
    def add_jsgf_string(self, name: str, jsgf: str) -> None: ...
    def activate_search(self, name: str) -> None: ...
    def start_utt(self) -> None: ...
    def process_raw(self, samples: bytes, *, full_utt: bool) -> None: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> _Hypothesis | None: ...
    def n_frames(self) -> int: ...


class PhraseRecognizer:
    """Hears the phrases that it was given. Raises MissingPart without pocketsphinx.

    A phrase with a word that the dictionary does not have is left out, with a warning.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        self._decoder = _load_decoder()
        self._lock = threading.Lock()  # the decoder is one automaton; recognizers are asked from threads
        self._phrases = {" ".join(words): phrase for phrase in phrases if (words := self._known_words(phrase))}
        if self._phrases:
            rule = " | ".join(self._phrases)
            self._decoder.add_jsgf_string(_GRAMMAR, f"#JSGF V1.0;\ngrammar {_GRAMMAR};\npublic <phrase> = {rule};\n")
            self._decoder.activate_search(_GRAMMAR)

    def hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        """Blocking: about 50 ms of CPU for an utterance of 2 s. ``share`` is 1 for a phrase, else 0. Never raises."""
        if not self._phrases or not samples.size:
            return NOTHING
        sound = resample(AudioFrame(samples, rate), RATE).samples
        with self._lock:
            self._decoder.start_utt()
            self._decoder.process_raw(sound.tobytes(), full_utt=True)
            self._decoder.end_utt()
            hypothesis, frames = self._decoder.hyp(), self._decoder.n_frames()
        phrase = self._phrases.get(hypothesis.hypstr) if hypothesis else None  # None: the phrase was not finished
        if hypothesis is None or phrase is None:
            return NOTHING
        if math.log(hypothesis.best_score) / frames < _NEED:
            return Heard(text=None, share=0.0, nearest=phrase)
        return Heard(text=phrase, share=1.0, nearest=phrase)

    def _known_words(self, phrase: str) -> list[str]:
        """The phrase as the dictionary spells it; empty when it does not know it all."""
        words = _WORD.findall(phrase.lower())
        unknown = [word for word in words if self._decoder.lookup_word(word) is None]
        if unknown:
            _log.warning('x phrase "%s": no pronunciation of "%s"', phrase, '", "'.join(unknown))
            return []
        return words


def _load_decoder() -> _Decoder:
    try:
        from pocketsphinx import Decoder
    except ImportError as exc:
        raise MissingPart("pocketsphinx", "recognizing phrases (on Python 3.11 or 3.13)") from exc
    # Without dither, digital silence makes the path die after the last word: 10 of 52 phrases were lost, and the
    # search for the best path in the word lattice cut the last words of 31 more.
    decoder: _Decoder = Decoder(
        lm=None,
        samprate=RATE,
        cmn="batch",
        dither=True,
        seed=_SEED,
        bestpath=False,
        beam=_BEAM,
        pbeam=_WORD_BEAM,
        wbeam=_WORD_BEAM,
        loglevel="FATAL",
        logfn=os.devnull,
    )
    return decoder
