"""Sound as the bytes of a file."""

import numpy as np
import pytest

from couchvoice.scenario.sound_file import DamagedSound, flac_from_samples, ogg_from_samples, samples_from_file

SECOND = 48_000


def speech_like(samples: int) -> np.ndarray:
    at = np.arange(samples) / SECOND
    return (9000 * np.sin(2 * np.pi * 220 * at) * np.abs(np.sin(2 * np.pi * 2 * at))).astype(np.int16)


def loudness(samples: np.ndarray) -> np.ndarray:
    """Of every 20 ms. A codec of speech leaves the waves themselves no likeness."""
    frames = samples[: samples.size // 960 * 960].reshape(-1, 960).astype(float)
    return np.sqrt((frames**2).mean(axis=1))


@pytest.mark.parametrize("samples", [1, 959, SECOND, 3 * SECOND + 17])
def test_flac_gives_back_every_sample(samples):
    sound = speech_like(samples)
    assert np.array_equal(samples_from_file(flac_from_samples(sound)), sound)


@pytest.mark.parametrize("samples", [960, SECOND, 3 * SECOND + 17])
def test_ogg_gives_back_as_many_and_nearly_the_same_for_a_fraction_of_the_size(samples):
    sound = speech_like(samples)
    content = ogg_from_samples(sound)
    again = samples_from_file(content)
    assert again.size == sound.size
    assert len(content) < 3000 + sound.nbytes / 8
    if samples > SECOND:
        assert np.corrcoef(loudness(again), loudness(sound))[0, 1] > 0.99


def test_what_is_no_sound_file_is_damaged():
    for content in (b"", b"nothing of the kind", flac_from_samples(speech_like(SECOND))[:30]):
        with pytest.raises(DamagedSound):
            samples_from_file(content)
