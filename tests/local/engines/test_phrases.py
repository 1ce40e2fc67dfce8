"""The closed grammar hears its phrases by any voice, and is silent about it."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

from couchvoice.local.engines.heard import NOTHING
from couchvoice.local.engines.phrases import PhraseRecognizer
from couchvoice.local.missing import MissingPart
from couchvoice.local.resample import RATE
from tests.local.speech import heard_at_16k, noisy
from tests.requirements import require

PHRASES = ["Hello, can you hear me?", "Is memory on for this conversation?", "Thank you very much, goodbye."]


@pytest.fixture
def recognizer() -> PhraseRecognizer:
    try:
        return PhraseRecognizer(PHRASES)
    except MissingPart as exc:
        require(False, str(exc))
        raise


@pytest.mark.parametrize("voice", ["alloy", "marin", "cedar"])
def test_a_phrase_is_heard_as_it_is_written_whoever_says_it(recognizer: PhraseRecognizer, voice: str) -> None:
    for phrase in PHRASES:
        assert recognizer.hear(heard_at_16k(phrase, voice), RATE).text == phrase


def test_a_phrase_is_heard_in_noise(recognizer: PhraseRecognizer) -> None:
    assert recognizer.hear(noisy(heard_at_16k(PHRASES[1]), snr=20), RATE).text == PHRASES[1]


def test_silence_and_a_single_unknown_word_are_no_phrase(recognizer: PhraseRecognizer) -> None:
    assert recognizer.hear(np.zeros(RATE, np.int16), RATE).text is None
    assert recognizer.hear(np.zeros(0, np.int16), RATE) == NOTHING
    assert recognizer.hear(heard_at_16k("purple"), RATE).text is None


def test_a_phrase_with_a_word_that_nobody_can_pronounce_is_left_out_with_a_warning(
    recognizer: PhraseRecognizer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "couchvoice.local"):
        mixed = PhraseRecognizer(["Hello, Xyzzyqua.", PHRASES[0]])
    assert '"xyzzyqua"' in caplog.text
    assert mixed.hear(heard_at_16k(PHRASES[0]), RATE).text == PHRASES[0]


def test_nothing_is_printed(recognizer: PhraseRecognizer, capfd: pytest.CaptureFixture[str]) -> None:
    PhraseRecognizer(PHRASES).hear(heard_at_16k(PHRASES[0]), RATE)
    assert capfd.readouterr() == ("", "")


def test_without_pocketsphinx_the_reason_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(MissingPart, match="pocketsphinx"):
        PhraseRecognizer(PHRASES)
