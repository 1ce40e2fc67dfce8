"""Utterance: a question of first-talk.wav and the pause after it, as 20 ms frames or as Opus packets.

Law: it shares no code with couchvoice; where the voice begins and ends is known to a frame, and what comes after is
digital silence.
"""

from __future__ import annotations

import wave

import av
import numpy as np
from aiortc.codecs.opus import OpusEncoder
from numpy.typing import NDArray

from tests.bench.child import FIRST_TALK

RATE = 48_000  # Hz, of the frames that are made to Opus
FRAMES_PER_SECOND = 50
FROM = 8.0  # s, where "Is memory on for this conversation?" is in the WAV
FRAMES = 103  # of it: its last sample that is not zero ends the last one
PERIOD = 6.0  # s, from one question to the next: the server has answered by then
SOUND = 40  # bytes: an RTP packet with silence in it is smaller, whoever made it, and one with sound larger

Samples = NDArray[np.int16]


def question(rate: int) -> list[Samples]:
    """A whole period: the question, then silence."""
    with wave.open(str(FIRST_TALK)) as file:
        read = file.getframerate()
        file.setpos(int(FROM * read))
        voice = np.frombuffer(file.readframes(FRAMES * read // FRAMES_PER_SECOND), "<i2").astype(np.int16)
    frame = av.AudioFrame.from_ndarray(voice[None], format="s16", layout="mono")
    frame.sample_rate = read
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    sounding = np.concatenate([piece.to_ndarray()[0] for put in (frame, None) for piece in resampler.resample(put)])
    size = rate // FRAMES_PER_SECOND
    whole = np.zeros(int(PERIOD * FRAMES_PER_SECOND) * size, np.int16)
    whole[: FRAMES * size] = sounding[: FRAMES * size]
    return list(whole.reshape(-1, size))


def silence() -> list[Samples]:
    return [np.zeros(RATE // FRAMES_PER_SECOND, np.int16)] * FRAMES_PER_SECOND


def packets(frames: list[Samples]) -> list[bytes]:
    """One for each frame of 48 kHz, as stock aiortc encodes it."""
    encoder = OpusEncoder()
    made: list[bytes] = []
    for number, samples in enumerate(frames):
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, number * samples.size
        payloads, _ = encoder.encode(frame)
        made += payloads
    return made
