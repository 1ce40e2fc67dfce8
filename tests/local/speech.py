"""Speech and what happens to it on the way, for the tests of the local server."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.detector import SpeechDetector, SpeechStarted, SpeechStopped
from couchvoice.local.engines.voice import Tone, choose_voice
from couchvoice.local.resample import RATE, resample
from tests.requirements import require

FIXTURES = Path(__file__).parents[2] / "fixtures"
EDGE = 0.02  # of the peak: quieter is not speech
PACKET_LOSS = "2"  # per cent, told to the encoder

Samples = NDArray[np.int16]
Event = SpeechStarted | SpeechStopped


@functools.cache
def spoken(text: str, voice: str = "alloy") -> Samples:
    """48 kHz, without silence at the ends."""
    engine = choose_voice()
    require(not isinstance(engine, Tone), "a speech engine")
    samples = asyncio.run(engine.speak(text, voice=voice)).samples
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > EDGE * np.abs(samples.astype(np.int32)).max())
    return samples[loud[0] : loud[-1] + 1]


def padded(samples: Samples, *, before: float = 0.3, after: float = 0.5, rate: int = SAMPLE_RATE) -> Samples:
    """With silence round it, in seconds."""
    return np.concatenate([silence(int(before * rate)), samples, silence(int(after * rate))])


def heard_at_16k(text: str, voice: str = "alloy") -> Samples:
    """As the server cuts an utterance: with the prefix padding and the silence that ended it."""
    return padded(resample(AudioFrame(spoken(text, voice), SAMPLE_RATE), RATE).samples, rate=RATE)


def noisy(samples: Samples, *, snr: float, seed: int = 1) -> Samples:
    """White noise so many dB below the mean power of what is not silent."""
    x = samples.astype(np.float64)
    power = np.mean(x[np.abs(x) > EDGE * np.abs(x).max()] ** 2)
    noise = np.random.default_rng(seed).normal(size=x.size) * np.sqrt(power * 10 ** (-snr / 10))
    mixed: Samples = np.clip(x + noise, -32768, 32767).astype(np.int16)
    return mixed


def garbled(samples: Samples, *, share: float, rate: int, seed: int = 1) -> Samples:
    """That share of the 20 ms frames silenced."""
    frame = rate // 50
    kept = np.repeat(np.random.default_rng(seed).random(-(-samples.size // frame)) >= share, frame)[: samples.size]
    return np.where(kept, samples, 0).astype(np.int16)


def through_opus(samples: Samples) -> Samples:
    """48 kHz through an encoder and a decoder of PyAV, 24 kb/s."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = SAMPLE_RATE, "mono", "s16", 24_000
    encoder.options = {"application": "voip", "packet_loss": PACKET_LOSS}
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    packets = []
    for start in range(0, samples.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + FRAME_SAMPLES], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    return np.concatenate([piece.to_ndarray()[0] for frame in frames for piece in resampler.resample(frame)])


def events(
    samples: Samples, *, detector: SpeechDetector | None = None, rate: int = SAMPLE_RATE
) -> list[tuple[Event, int]]:
    """What the detector says, each with the clock (ms) of the 20 ms frame that made it say so."""
    detector = detector or SpeechDetector()
    size = rate // 50
    told: list[tuple[Event, int]] = []
    for start in range(0, samples.size - size + 1, size):
        found = detector.feed(AudioFrame(samples[start : start + size], rate))
        told += [(event, (start + size) * 1000 // rate) for event in found]
    return told
