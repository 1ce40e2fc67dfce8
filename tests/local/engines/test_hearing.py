"""The recognizer is chosen by what is given and installed."""

from __future__ import annotations

import asyncio
import logging
import sys

import numpy as np
import pytest

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines.heard import Heard
from couchvoice.local.engines.hearing import OfflineHearing, choose_recognizer
from couchvoice.local.engines.phrases import PhraseRecognizer
from couchvoice.local.engines.recordings import Recording
from couchvoice.local.missing import MissingPart
from couchvoice.local.resample import RATE
from tests.local.speech import Samples, heard_at_16k
from tests.requirements import require

KNOWN = "Is memory on for this conversation?"
PHRASE = "Thank you very much, goodbye."


def recording() -> Recording:
    return Recording(KNOWN, heard_at_16k(KNOWN), RATE)


def text_of(recognizer: OfflineHearing, samples: Samples, *more: Samples) -> str | None:
    """Of the last of these sounds."""

    async def heard() -> str | None:
        try:
            texts = [(await recognizer.hear(AudioFrame(sound, RATE))).text for sound in (samples, *more)]
        finally:
            await recognizer.close()
        return texts[-1]

    return asyncio.run(heard())


@pytest.fixture
def pocketsphinx() -> None:
    try:
        PhraseRecognizer([]).close()
    except MissingPart as exc:
        require(False, str(exc))


def test_recordings_alone_hear_only_recordings() -> None:
    assert text_of(choose_recognizer(recordings=[recording()]), heard_at_16k(KNOWN)) == KNOWN
    assert text_of(choose_recognizer(recordings=[recording()]), heard_at_16k(PHRASE)) is None


@pytest.mark.parametrize("others", [[], [PHRASE]])
async def test_a_recognizer_that_is_running_learns_a_recording(others: list[str]) -> None:
    recognizer = choose_recognizer(phrases=others)
    try:
        assert (await recognizer.hear(AudioFrame(heard_at_16k(KNOWN), RATE))).text != KNOWN
        await recognizer.learn([recording()])
        assert (await recognizer.hear(AudioFrame(heard_at_16k(KNOWN), RATE))).text == KNOWN
    finally:
        await recognizer.close()


@pytest.mark.usefixtures("pocketsphinx")
def test_what_no_recording_explains_may_be_a_phrase() -> None:
    assert text_of(choose_recognizer(recordings=[recording()], phrases=[PHRASE]), heard_at_16k(KNOWN)) == KNOWN
    assert text_of(choose_recognizer(recordings=[recording()], phrases=[PHRASE]), heard_at_16k(PHRASE)) == PHRASE


@pytest.mark.usefixtures("pocketsphinx")
def test_phrases_alone_hear_any_voice() -> None:
    assert text_of(choose_recognizer(phrases=[PHRASE]), heard_at_16k(PHRASE, "cedar")) == PHRASE


def test_without_pocketsphinx_recordings_are_heard_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    assert text_of(choose_recognizer(recordings=[recording()], phrases=[PHRASE]), heard_at_16k(KNOWN)) == KNOWN
    assert "pocketsphinx" in caplog.text


def test_with_nothing_at_all_nothing_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    assert text_of(choose_recognizer(phrases=[PHRASE]), np.zeros(RATE, np.int16)) is None
    assert text_of(choose_recognizer(), heard_at_16k(KNOWN)) is None


def test_the_log_shows_the_share_but_not_the_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "couchvoice.local"):
        text_of(choose_recognizer(recordings=[recording()]), heard_at_16k(KNOWN))
    assert f"…({len(KNOWN)} chars)" in caplog.text
    assert "accepted" in caplog.text
    assert KNOWN not in caplog.text


class Model:
    """In the place of a recognizer that understands whatever is said."""

    def hear(self, samples: Samples, rate: int) -> Heard:
        return Heard("whatever", 1.0, "whatever")


def test_a_model_hears_what_no_recording_explains_and_takes_the_place_of_the_phrases() -> None:
    assert (
        text_of(choose_recognizer(recordings=[recording()], phrases=[PHRASE], model=Model()), heard_at_16k(KNOWN))
        == KNOWN
    )
    assert (
        text_of(choose_recognizer(recordings=[recording()], phrases=[PHRASE], model=Model()), heard_at_16k(PHRASE))
        == "whatever"
    )
