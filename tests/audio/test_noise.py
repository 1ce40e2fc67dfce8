"""A table in a café: what the server's ear makes of it with noise suppression, and without."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio import echo
from couchvoice.audio.canceller import is_installed
from couchvoice.audio.echo import echo_control
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.noise_gate import LEARNING_MS, NoiseGate
from couchvoice.local.detector import SpeechStarted
from tests.audio.noise import cafe
from tests.audio.tones import pcm16, tone
from tests.local.speech import events, spoken
from tests.requirements import require

MINUTE = 60  # seconds
SNR = 20.0  # dB, of the person's voice over the café
WORDS = "I would like to ask you something."


def pcm(x: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.rint(x), -32768, 32767).astype(np.int16)


def starts(samples: NDArray[np.int16]) -> list[int]:
    """ms at which the server hears somebody begin."""
    return [ms for event, ms in events(samples) if isinstance(event, SpeechStarted)]


def suppressed(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    control = echo_control(EchoPolicy.NONE, noise_suppression=True)
    frames = [samples[at : at + FRAME_SAMPLES] for at in range(0, samples.size - FRAME_SAMPLES + 1, FRAME_SAMPLES)]
    return np.concatenate([control.clean(AudioFrame(frame, SAMPLE_RATE)).samples for frame in frames])


@pytest.fixture(scope="module")
def table() -> NDArray[np.int16]:
    """48 kHz: a minute of café, and then, in the same noise, a person."""
    person = spoken(WORDS, "shimmer")
    noise = cafe(MINUTE + person.size / SAMPLE_RATE, talkers=6, seed=3)
    noise *= np.sqrt(np.mean(person.astype(np.float64) ** 2)) * 10 ** (-SNR / 20)
    noise[-person.size :] += person
    return pcm(noise)


@pytest.mark.timeout(60)
@pytest.mark.row("B7")
@pytest.mark.parametrize("has_livekit", [True, False])
def test_a_minute_of_cafe_noise_makes_no_turn_and_who_speaks_in_it_is_heard(
    monkeypatch: pytest.MonkeyPatch, table: NDArray[np.int16], has_livekit: bool
):
    if has_livekit:
        require(is_installed(), "livekit (the extra aec)")
    monkeypatch.setattr(echo, "is_installed", lambda: has_livekit)
    (heard,) = starts(suppressed(table))
    assert 0 < heard - MINUTE * 1000 < 400


def test_without_suppression_the_cafe_is_taken_for_a_user(table: NDArray[np.int16]):
    assert len(starts(table[: 30 * SAMPLE_RATE])) > 1


def through(gate: NoiseGate, x: NDArray[np.float64]) -> NDArray[np.int16]:
    frames = pcm16(x).reshape(-1, FRAME_SAMPLES)
    return np.concatenate([gate.clean(AudioFrame(frame, SAMPLE_RATE)).samples for frame in frames])


def test_a_loud_voice_passes_before_the_background_is_known():
    assert through(NoiseGate(), tone(0.2, amplitude=0.2))[FRAME_SAMPLES:].any()


def test_a_voice_over_a_steady_hum_passes_and_the_hum_alone_does_not():
    gate = NoiseGate()
    hum = tone(2.0, hertz=120, amplitude=0.003)
    assert not through(gate, hum)[LEARNING_MS * SAMPLE_RATE // 1000 :].any()
    assert through(gate, tone(0.2, amplitude=0.02)).any()
    assert not through(gate, hum)[SAMPLE_RATE:].any()


def test_a_noise_that_comes_to_stay_is_background_in_the_end():
    gate = NoiseGate()
    through(gate, tone(2.0, amplitude=0.003))
    louder = through(gate, tone(20.0, amplitude=0.01))
    assert louder[:SAMPLE_RATE].any()
    assert not louder[-SAMPLE_RATE:].any()


def test_a_closed_microphone_teaches_nothing_of_the_room():
    gate = NoiseGate()
    hum = tone(2.0, hertz=120, amplitude=0.003)
    through(gate, hum)
    for _ in range(500):
        gate.clean(AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE))
    assert not through(gate, hum).any()
