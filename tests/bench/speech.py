"""Speech that goes through a receiver: utterances with pauses of digital silence, as a provider's voice has them.

Law: one seed is one text, and where each utterance begins and ends is known to the sample. ``spoken`` needs the
program espeak-ng; ``recorded`` needs nothing.
"""

from __future__ import annotations

import io
import random
import subprocess
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.bench.child import ROOT

RATE = 48_000  # Hz
FRAME = RATE // 50  # samples
SHORTEST = 20.0  # seconds from the first word to the last
LEAD_IN = 1.5  # seconds of silence before the first utterance: receivers have settled by then
LEAD_OUT = 2.0  # seconds after the last: what is late is heard, too
PAUSE = (0.5, 1.0)  # seconds between two utterances
EDGE = 33  # samples no larger than this (-60 dB) are no speech
TEXT_RATE = "160"  # words per minute

VOICES = ("en-us", "en-us+f3", "en-gb+m3", "en-gb+f2")
SENTENCES = (
    "The weather will be mild tomorrow, with a little rain in the evening.",
    "I have found three appointments for you, and the first one is on Monday at nine.",
    "Memory is off for this conversation, so nothing that we say is kept.",
    "Would you like me to read the whole letter, or only the last paragraph?",
    "The next train to the harbour leaves from platform seven in twelve minutes.",
    "Breathe in slowly, hold it for a moment, and let your shoulders sink.",
    "Her father's kitchen smelled of cinnamon, coffee and freshly baked bread.",
    "Please turn left after the bridge and follow the river to the old mill.",
    "There is a hotline in your area, and somebody answers at any hour.",
    "A dozen grey geese flew over the frozen lake just before sunrise.",
    "That makes forty three euros and fifty cents altogether, including the fee.",
    "Once upon a time a fox and a hedgehog shared a house at the edge of a wood.",
)

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Speech:
    """Whole frames of 48 kHz mono; ``utterances`` are their first samples and those behind their last."""

    samples: Samples
    utterances: tuple[tuple[int, int], ...]

    @property
    def frames(self) -> list[Samples]:
        return list(self.samples.reshape(-1, FRAME))


def spoken(seed: int) -> Speech:
    """At least SHORTEST seconds, by different voices."""
    chance = random.Random(seed)
    return _laid_out(_utterances(chance), chance)


def recorded(seed: int) -> Speech:
    """The utterances of first-talk.wav and barge-in.wav, in an order of the seed's."""
    chance = random.Random(seed)
    utterances = [piece for name in ("first-talk", "barge-in") for piece in _of_fixture(name)]
    chance.shuffle(utterances)
    return _laid_out(utterances, chance)


def _utterances(chance: random.Random) -> Iterable[Samples]:
    said = 0.0
    for text in chance.sample(SENTENCES, len(SENTENCES)):
        if said >= SHORTEST:
            return
        command = ["espeak-ng", "-v", chance.choice(VOICES), "-s", TEXT_RATE, "--stdout", text]
        wav = subprocess.run(command, check=True, capture_output=True).stdout
        yield (utterance := _trimmed(*_read(io.BytesIO(wav))))
        said += utterance.size / RATE + PAUSE[0]


def _of_fixture(name: str) -> list[Samples]:
    """Cut where nothing is said for as long as the shortest pause between two utterances."""
    samples, rate = _read(ROOT / "fixtures" / f"{name}.wav")
    loud = np.flatnonzero(np.abs(samples) > EDGE)
    cuts = np.flatnonzero(np.diff(loud) > 2 * rate) + 1
    return [_trimmed(samples[part[0] : part[-1] + 1], rate) for part in np.split(loud, cuts)]


def _laid_out(utterances: Iterable[Samples], chance: random.Random) -> Speech:
    pieces, spans, end = [_silence(LEAD_IN)], [], round(LEAD_IN * RATE)
    for utterance in utterances:
        spans.append((end, end + utterance.size))
        pieces += [utterance, _silence(chance.uniform(*PAUSE))]
        end += utterance.size + pieces[-1].size
    whole = np.concatenate([*pieces, _silence(LEAD_OUT)])
    return Speech(whole[: whole.size // FRAME * FRAME], tuple(spans))


def _read(file: Path | io.BytesIO) -> tuple[Samples, int]:
    with wave.open(str(file) if isinstance(file, Path) else file) as wav:
        # Of a pipe the length in espeak-ng's header is wrong; the data end with the file.
        return np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(np.int16), wav.getframerate()


def _trimmed(samples: Samples, rate: int) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > EDGE)
    frame = av.AudioFrame.from_ndarray(samples[None, loud[0] : loud[-1] + 1], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    return np.concatenate([piece.to_ndarray()[0] for put in (frame, None) for piece in resampler.resample(put)])


def _silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)
