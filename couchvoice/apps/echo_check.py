"""A chirp through the loudspeaker, and what the microphone makes of it.

Law: both devices are let go of, whatever happens; the two recordings stand side by side as they do in a talk.
"""

from __future__ import annotations

import numpy as np

from couchvoice.audio.chirp import Echo, chirp, find_echo
from couchvoice.audio.frames import FRAME_MS, SAMPLE_RATE, AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.reference import Reference
from couchvoice.audio.sink import Sink
from couchvoice.audio.source import Source

SETTLING_MS = 1000  # ms until cards and sound servers run evenly
LISTENING_MS = 2500  # ms: the chirp, its longest delay, the room


async def measure_echo(microphone: Source, speaker: Sink) -> Echo | None:
    """None: the chirp was not heard. Takes about four seconds. Raises AudioDeviceError."""
    reference = Reference()
    playout = PlayoutBuffer(on_played=reference.played)
    played, recorded = [], []
    try:
        await microphone.open()
        await speaker.open(playout)
        for _ in range(SETTLING_MS // FRAME_MS):
            reference.take((await microphone.read()).samples.size)
        playout.push(AudioFrame(chirp(), SAMPLE_RATE))
        for _ in range(LISTENING_MS // FRAME_MS):
            frame = await microphone.read()
            recorded.append(frame.samples)
            played.append(reference.take(frame.samples.size))
    finally:
        await speaker.close()
        await microphone.close()
    return find_echo(np.concatenate(played), np.concatenate(recorded))
