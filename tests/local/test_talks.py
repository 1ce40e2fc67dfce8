"""The spoken fixtures fit their texts, the rules, and the recognizer that will hear them."""

from __future__ import annotations

import functools
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from couchvoice.audio.wav import read_wav
from couchvoice.local.detector import SpeechStarted, SpeechStopped
from couchvoice.local.engines.recordings import KnownRecordings, Recording, load_recordings
from couchvoice.local.engines.replies import Rules
from couchvoice.local.protocol.reply import Call, Question
from tests.local.speech import FIXTURES, events

SHIPPED = FIXTURES.parent / "couchvoice" / "apps"
WAVS = [FIXTURES / f"{name}.wav" for name in ("barge-in", "first-talk", "two-tools")]
TOOLS = ("wait_for_user", "show_memory_status", "lookup_crisis_resources")
SILENCE = 500  # ms, that the detector adds
MIN_SPEECH = 1000  # ms
ROOM_FOR_AN_ANSWER = 5900  # ms; the detector's onset may be early


@functools.cache
def known() -> list[Recording]:
    return load_recordings(WAVS)


def bounds(wav: Path) -> tuple[list[int], list[int], int]:
    """Starts and ends of the utterances and the length of the file, in ms."""
    frame = read_wav(wav)
    told = [event for event, _ in events(frame.samples)]
    starts = [event.audio_start_ms for event in told if isinstance(event, SpeechStarted)]
    ends = [event.audio_end_ms - SILENCE for event in told if isinstance(event, SpeechStopped)]
    return starts, ends, frame.samples.size * 1000 // frame.rate


@pytest.mark.parametrize("place", range(6))
def test_each_utterance_is_heard_and_its_words_are_long_enough(place: int) -> None:
    recording = known()[place]
    assert KnownRecordings(known()).hear(recording.samples, recording.rate).text == recording.text
    assert len(recording.text.split()) >= 3


def test_there_are_six_utterances() -> None:
    assert len(known()) == 6


@pytest.mark.parametrize("place", range(6))
def test_no_utterance_is_taken_for_another(place: int) -> None:
    recording = known()[place]
    others = [other for other in known() if other is not recording]
    assert KnownRecordings(others).hear(recording.samples, recording.rate).text is None


def test_the_first_talk_leaves_room_for_each_answer() -> None:
    starts, ends, length = bounds(FIXTURES / "first-talk.wav")
    assert all(end - start >= MIN_SPEECH for start, end in zip(starts, ends, strict=True))
    assert all(start - end >= ROOM_FOR_AN_ANSWER - 300 for end, (_, start) in zip(ends, pairwise(starts), strict=False))
    assert length - ends[-1] >= ROOM_FOR_AN_ANSWER


def test_the_interruption_comes_four_seconds_after_the_question() -> None:
    starts, ends, _ = bounds(FIXTURES / "barge-in.wav")
    assert starts[1] + 300 - ends[0] == pytest.approx(4000, abs=150)


@pytest.mark.parametrize(("name", "calls"), [("first-talk", [0, 1, 0]), ("barge-in", [0, 0]), ("two-tools", [2])])
def test_the_shipped_rules_know_each_line(name: str, calls: list[int]) -> None:
    rules = Rules.load()
    lines = (FIXTURES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert set(lines) <= set(rules.phrases)
    tools = [{"name": name} for name in TOOLS]
    replies = [rules.parts(Question(heard=line, tools=tools)) for line in lines]
    assert [sum(isinstance(part, Call) for part in reply) for reply in replies] == calls


@pytest.mark.row("P21")
@pytest.mark.parametrize("suffix", [".wav", ".txt"])
def test_the_first_talk_of_the_package_is_the_fixture(suffix: str) -> None:
    assert (SHIPPED / f"first-talk{suffix}").read_bytes() == (FIXTURES / f"first-talk{suffix}").read_bytes()


@pytest.mark.parametrize("wav", WAVS, ids=lambda wav: wav.stem)
def test_the_talks_are_16_khz_mono_16_bit_and_begin_with_half_a_second_of_silence(wav: Path) -> None:
    import wave

    with wave.open(str(wav)) as opened:
        assert (opened.getframerate(), opened.getnchannels(), opened.getsampwidth()) == (16_000, 1, 2)
    assert not np.any(read_wav(wav, rate=16_000).samples[:7900])
