"""The ear finds speech on the clock of the input, whenever it begins to look for it."""

from __future__ import annotations

import pytest

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.detector import SpeechStarted, SpeechStopped
from couchvoice.local.ear import MAX_GAP_MS, Ear
from couchvoice.local.engines.recordings import KnownRecordings
from couchvoice.local.resample import resample
from tests.local.caller import known
from tests.local.speech import Samples

UTTERANCE = known("first-talk")[0]
NEAR = 60  # ms


def detect(ear: Ear) -> None:
    ear.detect(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=500)


def at_48k() -> Samples:
    return resample(AudioFrame(UTTERANCE.samples, UTTERANCE.rate), SAMPLE_RATE).samples


def hear(ear: Ear, samples: Samples) -> list[SpeechStarted | SpeechStopped]:
    frames = (samples[start : start + FRAME_SAMPLES] for start in range(0, samples.size, FRAME_SAMPLES))
    return [event for frame in frames for event in ear.hear(AudioFrame(frame, SAMPLE_RATE))]


def test_an_ear_that_is_not_told_to_detect_hears_sound_only() -> None:
    ear = Ear()
    assert hear(ear, at_48k()) == []
    assert ear.now_ms == pytest.approx(UTTERANCE.samples.size / 16, abs=FRAME_MS)


@pytest.mark.parametrize("before_ms", [0, 1000])
def test_speech_is_found_where_it_is_on_the_clock_of_the_input(before_ms: int) -> None:
    ear = Ear()
    hear(ear, silence(before_ms * SAMPLE_RATE // 1000))
    detect(ear)
    events = hear(ear, at_48k()) + hear(ear, silence(SAMPLE_RATE))
    (started, stopped) = events
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    assert started.audio_start_ms == pytest.approx(before_ms, abs=NEAR)
    cut = ear.cut(started.audio_start_ms, stopped.audio_end_ms)
    assert KnownRecordings([UTTERANCE]).hear(cut.samples, cut.rate).text == UTTERANCE.text


def test_an_ear_that_stops_detecting_and_begins_anew_keeps_the_clock() -> None:
    ear = Ear()
    detect(ear)
    hear(ear, silence(SAMPLE_RATE))
    ear.detect_nothing()
    hear(ear, silence(SAMPLE_RATE))
    detect(ear)
    started = hear(ear, at_48k())[0]
    assert isinstance(started, SpeechStarted)
    assert started.audio_start_ms == pytest.approx(2000, abs=NEAR)


def test_other_numbers_do_not_restart_the_detector() -> None:
    ear = Ear()
    detect(ear)
    speech = at_48k()
    assert len(hear(ear, speech[: speech.size // 2])) == 1
    ear.detect(threshold=0.5, prefix_padding_ms=0, silence_duration_ms=200)
    events = hear(ear, speech[speech.size // 2 :]) + hear(ear, silence(SAMPLE_RATE))
    assert [type(event) for event in events] == [SpeechStopped]


@pytest.mark.parametrize(("gap_ms", "heard_ms"), [(0, 0), (19.9, 0), (60, 60), (1e9, MAX_GAP_MS)])
def test_a_gap_is_silence_of_its_length(gap_ms: float, heard_ms: int) -> None:
    ear = Ear()
    detect(ear)
    assert ear.miss(gap_ms) == []
    assert ear.now_ms == pytest.approx(heard_ms, abs=1)


def test_what_is_cleared_cannot_be_cut() -> None:
    ear = Ear()
    hear(ear, at_48k())
    ear.clear()
    assert ear.cut(0, ear.now_ms).samples.size == 0
    assert ear.now_ms
