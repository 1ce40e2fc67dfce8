"""Recognition by a closed grammar: which of the known phrases was said, by whatever voice.

For a live microphone. It hears the nearest phrase in much that is none of them, so its text proves nothing about the
audio path; recordings.py does that. English only, for the model of pocketsphinx is.
Law: deterministic, silent on stderr, and never in the way of the event loop.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.engines.pocketsphinx_process import PocketsphinxProcess
from couchvoice.local.missing import MissingPart
from couchvoice.local.resample import RATE, resample

MAX_PHRASE = 15.0  # s, with the silence round it: what is longer is no phrase

_PER_LETTER = 0.03  # s of speech at least: espeak-ng in a hurry takes as much for "Who are you?", a cough less
_NEED = -4.4e-3  # mean log score of a frame; known phrases reach it, half of all else does not
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")

_log = logging.getLogger("couchvoice.local")


class PhraseRecognizer:
    """Hears the phrases that it was given. Raises MissingPart without pocketsphinx, EngineFailed without a process.

    Whoever makes it closes it.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        if importlib.util.find_spec("pocketsphinx") is None:
            raise MissingPart("pocketsphinx", "recognizing phrases (on Python 3.11 or 3.13)")
        words = {phrase: _WORD.findall(phrase.lower()) for phrase in phrases}
        self._phrases = {" ".join(said): phrase for phrase, said in words.items() if said}
        self._process = PocketsphinxProcess([text.split() for text in self._phrases])

    def close(self) -> None:
        self._process.close()

    def warn(self) -> None:
        """Blocking: of the phrases that are left out, as the dictionary lacks a word. Raises EngineFailed."""
        unknown = set(self._process.ask(b""))
        for text, phrase in self._phrases.items():
            if lacking := [word for word in text.split() if word in unknown]:
                _log.warning('x phrase "%s": no pronunciation of "%s"', phrase, '", "'.join(lacking))

    def hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        """Blocking: about 50 ms for an utterance of 2 s. ``share`` is 1 for a phrase, else 0. Raises EngineFailed."""
        if not self._phrases or not 0 < samples.size <= MAX_PHRASE * rate:
            return NOTHING
        sound = resample(AudioFrame(samples, rate), RATE).samples
        answer = self._process.ask(sound.tobytes())
        phrase = self._phrases.get(answer["text"])  # None: the phrase was not finished
        if phrase is None:
            return NOTHING
        if answer["score"] < _NEED or answer["seconds"] < _PER_LETTER * sum(map(str.isalnum, phrase)):
            return Heard(text=None, share=0.0, nearest=phrase)
        return Heard(text=phrase, share=1.0, nearest=phrase)
