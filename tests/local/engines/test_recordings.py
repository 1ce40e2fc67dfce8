"""Known recordings are recognized however they arrive, unless they arrive in pieces; nothing else is."""

from __future__ import annotations

import functools
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.errors import ConfigError
from couchvoice.local.engines.heard import NOTHING
from couchvoice.local.engines.recordings import KnownRecordings, Recording, load_recordings
from couchvoice.local.resample import RATE, resample
from tests.local.speech import Samples, garbled, heard_at_16k, noisy, padded, spoken, through_opus

KNOWN = {
    "Hello, can you hear me?": "alloy",
    "Is memory on for this conversation?": "cedar",
    "I need the number of a local hotline.": "sage",
    "Thank you very much, goodbye.": "alloy",
}
UNKNOWN = "My brother keeps four brown horses on his farm."

SAID = [
    "came home late on Friday",
    "does not eat any meat",
    "bought two green chairs",
    "lives near the old station",
    "will call back tomorrow",
    "has lost the blue umbrella",
    "likes to sing in the evening",
    "forgot to lock the garage",
    "reads a book every week",
]


@functools.cache
def known() -> KnownRecordings:
    return KnownRecordings([Recording(text, heard_at_16k(text, voice), RATE) for text, voice in KNOWN.items()])


def louder(decibels: float) -> Callable[[Samples], Samples]:
    factor = 10 ** (decibels / 20)
    return lambda samples: np.clip(samples * factor, -32768, 32767).astype(np.int16)


CHANNELS: dict[str, Callable[[Samples], Samples]] = {
    "clean": lambda samples: samples,
    "quiet": louder(-20),
    "clipped": louder(6),
    "noise of 20 dB": lambda samples: noisy(samples, snr=20),
    "Opus": through_opus,
    "quiet, noise and Opus": lambda samples: through_opus(noisy(louder(-10)(samples), snr=15)),
}


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("text", KNOWN)
def test_a_known_recording_is_recognized(text: str, channel: str) -> None:
    sound = CHANNELS[channel](padded(spoken(text, KNOWN[text])))
    heard = known().hear(sound, SAMPLE_RATE)
    assert heard.text == text
    assert heard.share > 0.7


@pytest.mark.parametrize("text", KNOWN)
def test_a_recording_of_which_a_third_is_missing_is_refused_and_named(text: str) -> None:
    heard = known().hear(garbled(heard_at_16k(text, KNOWN[text]), share=0.3, rate=RATE), RATE)
    assert heard.text is None
    assert heard.nearest == text
    assert heard.share < 0.7


@pytest.mark.parametrize("voice", ["alloy", "cedar"])
def test_an_unknown_sentence_is_refused(voice: str) -> None:
    assert known().hear(heard_at_16k(UNKNOWN, voice), RATE).text is None


def test_another_speaker_with_the_same_words_is_refused() -> None:
    heard = known().hear(heard_at_16k("Is memory on for this conversation?", "sage"), RATE)
    assert heard.text is None


def test_speech_played_at_another_speed_is_refused() -> None:
    text = "Is memory on for this conversation?"
    sound = resample(AudioFrame(padded(spoken(text, KNOWN[text])), 44_100), SAMPLE_RATE)
    assert known().hear(sound.samples, SAMPLE_RATE).text is None


def test_recordings_that_were_joined_are_all_heard_in_order() -> None:
    first, second, third = [*KNOWN][:3]
    sound = np.concatenate([heard_at_16k(text, KNOWN[text]) for text in (first, second, third)])
    assert known().hear(sound, RATE).text == f"{first} {second} {third}"


def test_a_quiet_speaker_after_a_loud_one_is_heard() -> None:
    first, second = [*KNOWN][:2]
    sound = np.concatenate([heard_at_16k(first, KNOWN[first]), louder(-12)(heard_at_16k(second, KNOWN[second]))])
    assert known().hear(sound, RATE).text == f"{first} {second}"


def test_one_unknown_sentence_among_known_ones_refuses_the_whole_and_marks_the_hole() -> None:
    first, *_, last = KNOWN
    parts = [heard_at_16k(first, KNOWN[first]), heard_at_16k(UNKNOWN, "cedar"), heard_at_16k(last, KNOWN[last])]
    heard = known().hear(np.concatenate(parts), RATE)
    assert heard.text is None
    assert heard.nearest is not None
    assert heard.nearest.startswith(first)
    assert heard.nearest.endswith(last)
    assert heard.share == 0


def test_an_unknown_sentence_beside_a_quiet_known_one_refuses_the_whole() -> None:
    first, second = [*KNOWN][:2]
    quiet = np.concatenate([heard_at_16k(second, KNOWN[second]), heard_at_16k(UNKNOWN, "cedar")])
    heard = known().hear(np.concatenate([heard_at_16k(first, KNOWN[first]), louder(-15)(quiet)]), RATE)
    assert heard.text is None


def test_the_text_is_the_same_each_time() -> None:
    sound = noisy(heard_at_16k(UNKNOWN), snr=20)
    assert known().hear(sound, RATE) == known().hear(sound, RATE)


def test_among_many_recordings_the_right_one_is_found() -> None:
    rest = [f"{who} {what}." for who in ("My mother", "The doctor", "Our neighbour") for what in SAID]
    many = KnownRecordings([Recording(text, heard_at_16k(text), RATE) for text in [*rest, "Hello, can you hear me?"]])
    for text in (rest[7], "Hello, can you hear me?"):
        assert many.hear(heard_at_16k(text), RATE).text == text


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.zeros(10, np.int16), np.zeros(RATE, np.int16)])
def test_silence_is_nothing(samples: Samples) -> None:
    heard = known().hear(samples, RATE)
    assert heard.text is None


def test_without_recordings_nothing_is_heard() -> None:
    assert KnownRecordings([]).hear(heard_at_16k(UNKNOWN), RATE) == NOTHING


def wav_with(tmp_path: Path, texts: list[str], lines: str | None) -> Path:
    path = tmp_path / "talk.wav"
    sound = np.concatenate([padded(spoken(text), after=1.0) for text in texts])
    with wave.open(str(path), "wb") as wav:
        wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        wav.writeframes(sound.tobytes())
    if lines is not None:
        path.with_suffix(".txt").write_text(lines, encoding="utf-8")
    return path


def test_a_wav_is_cut_into_the_utterances_of_the_text_beside_it(tmp_path: Path) -> None:
    texts = [*KNOWN][:2]
    recordings = load_recordings([wav_with(tmp_path, texts, "\n".join(texts) + "\n\n")])
    assert [recording.text for recording in recordings] == texts
    assert KnownRecordings(recordings).hear(heard_at_16k(texts[1]), RATE).text == texts[1]


def test_a_text_with_too_few_lines_says_both_numbers(tmp_path: Path) -> None:
    wav = wav_with(tmp_path, [*KNOWN][:2], "Hello, can you hear me?\n")
    with pytest.raises(ConfigError, match=r"talk\.wav has 2 utterances, but talk\.txt beside it has 1 line"):
        load_recordings([wav])


def test_a_wav_without_text_is_named(tmp_path: Path) -> None:
    wav = wav_with(tmp_path, [*KNOWN][:1], None)
    with pytest.raises(ConfigError, match=r"talk\.txt"):
        load_recordings([wav])
