"""pocketsphinx behind two pipes: which phrase of a closed grammar was said.

Run as a script in a child process: the library keeps the interpreter to itself while it decodes.
The first line of stdin is the grammar: a JSON list of phrases, each a list of words. Then come sounds (int16, 16 kHz),
each behind its length; each is answered by a line of JSON. An empty one asks for the words that nobody can pronounce.
Law: imports nothing of ours, and ends with its stdin.
"""

from __future__ import annotations

import json
import math
import os
import signal
import struct
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

from pocketsphinx import Decoder

LENGTH = struct.Struct("<I")  # bytes of a sound

_RATE = 16_000  # Hz
_FRAME = 0.01  # s, the decoder's
_BEAM, _WORD_BEAM = 1e-80, 1e-60  # how unlikely a path may become before it is dropped
_SEED = 1  # of the dither
_GRAMMAR = "phrases"


class _Hypothesis(Protocol):
    hypstr: str
    best_score: float


class _Segment(Protocol):
    word: str
    start_frame: int
    end_frame: int


class _Decoder(Protocol):
    """What is used of pocketsphinx.Decoder."""

    def lookup_word(self, word: str) -> str | None: ...
    def add_jsgf_string(self, name: str, jsgf: str) -> None: ...
    def activate_search(self, name: str) -> None: ...
    def start_utt(self) -> None: ...
    def process_raw(self, samples: bytes, *, full_utt: bool) -> None: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> _Hypothesis | None: ...
    def seg(self) -> Iterable[_Segment]: ...
    def n_frames(self) -> int: ...


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who then closes our stdin
    phrases: list[list[str]] = json.loads(sys.stdin.buffer.readline())
    decoder = _new_decoder()
    unknown = sorted({word for phrase in phrases for word in phrase if decoder.lookup_word(word) is None})
    _learn(decoder, [" ".join(phrase) for phrase in phrases if not set(unknown) & set(phrase)])
    while len(length := sys.stdin.buffer.read(LENGTH.size)) == LENGTH.size:
        sound = sys.stdin.buffer.read(LENGTH.unpack(length)[0])
        sys.stdout.write(json.dumps(_heard(decoder, sound) if sound else unknown) + "\n")
        sys.stdout.flush()


def _heard(decoder: _Decoder, sound: bytes) -> dict[str, object]:
    """``text`` is null when no phrase was finished; ``score`` is the mean of a frame, ``seconds`` those of speech."""
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    if hypothesis is None:
        return {"text": None, "score": 0.0, "seconds": 0.0}
    score = math.log(max(hypothesis.best_score, sys.float_info.min)) / decoder.n_frames()
    words = [part for part in decoder.seg() if not part.word.startswith("<")]  # <sil> and the like
    frames = sum(part.end_frame - part.start_frame + 1 for part in words)
    return {"text": hypothesis.hypstr, "score": score, "seconds": frames * _FRAME}


def _learn(decoder: _Decoder, phrases: Sequence[str]) -> None:
    if phrases:
        rule = " | ".join(phrases)
        decoder.add_jsgf_string(_GRAMMAR, f"#JSGF V1.0;\ngrammar {_GRAMMAR};\npublic <phrase> = {rule};\n")
        decoder.activate_search(_GRAMMAR)


def _new_decoder() -> _Decoder:
    # Without dither, digital silence makes the path die after the last word: 10 of 52 phrases were lost, and the
    # search for the best path in the word lattice cut the last words of 31 more.
    decoder: _Decoder = Decoder(
        lm=None,
        samprate=_RATE,
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


if __name__ == "__main__":
    main()
