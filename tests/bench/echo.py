"""What protects a talk from its own echo, in simulated rooms: dB taken away, what double talk loses, and what it costs.

Speech is played, comes back at -10 dB after 50, 100 and 200 ms with the room's reverberation, and for double talk a
person as loud as the loudspeaker speaks at the same time. Beside each policy stands none. AEC3 without its guards, as
libwebrtc gives it, stands beside ours: false turns of the server's voice detection are what a guard is for.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.canceller import Libwebrtc
from couchvoice.audio.echo import EchoControl, echo_control
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.fader import level
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.reference import Reference
from couchvoice.local.detector import SpeechDetector, SpeechStarted
from tests.audio.room import Room
from tests.local.speech import spoken

SEEDS = 5
QUICK_SEEDS = 1
DELAYS_MS = (50, 100, 200)
ECHO_DB = -10.0
CONVERGED = 5 * SAMPLE_RATE  # samples, from which on the figures in dB count
FAR = "Memory is on for this talk. Kept so far: no finished sessions and one turn. I bring nothing up unasked."
NEAR = "Stop, please stop. I would like to say something else now."


class _BareAec3:
    """An EchoControl: libwebrtc's alone."""

    def __init__(self) -> None:
        self._libwebrtc = Libwebrtc(echo_cancellation=True)
        self._reference = Reference()
        self.played = self._reference.played

    def clean(self, frame: AudioFrame) -> AudioFrame:
        reference = self._reference.take(frame.samples.size)
        return AudioFrame(self._libwebrtc.clean(frame.samples, reference), frame.rate)


CONTESTANTS: dict[str, Callable[[], EchoControl]] = {
    "none": lambda: echo_control(EchoPolicy.NONE),
    "bare_aec3": _BareAec3,
    "aec": lambda: echo_control(EchoPolicy.AEC),
    "duck": lambda: echo_control(EchoPolicy.DUCK),
    "half-duplex": lambda: echo_control(EchoPolicy.HALF_DUPLEX),
}


def measure(*, quick: bool) -> dict[str, object]:
    rooms = [(seed, delay) for seed in range(QUICK_SEEDS if quick else SEEDS) for delay in DELAYS_MS]
    figures = {}
    for name, make in CONTESTANTS.items():
        print(f"{name}: {len(rooms)} rooms", file=sys.stderr)
        figures[name] = _medians([_measure_room(make, seed, delay) for seed, delay in rooms])
    ratio = round(figures["aec"]["us_per_frame"] / figures["bare_aec3"]["us_per_frame"], 3)
    return {"ratio": ratio, "frame_ms": 20, "rooms": len(rooms), "echo_db": ECHO_DB, **figures}


def _measure_room(make: Callable[[], EchoControl], seed: int, delay_ms: int) -> dict[str, float]:
    words = spoken(FAR, ("alloy", "echo")[seed % 2])
    far = np.concatenate([words, silence(SAMPLE_RATE // 2), words])
    person = spoken(NEAR, "shimmer")
    near = silence(far.size)
    near[CONVERGED + SAMPLE_RATE :][: person.size] = person[: near.size - CONVERGED - SAMPLE_RATE]
    alone, us, false_turns = _through(make(), far, silence(far.size), seed, delay_ms)
    heard, _, _ = _through(echo_control(EchoPolicy.NONE), far, silence(far.size), seed, delay_ms)
    both, _, _ = _through(make(), far, near, seed, delay_ms)
    spoke = near.astype(bool)[: both.size]
    return {
        "taken_away_db": level(heard[CONVERGED:]) - level(alone[CONVERGED:]),
        "double_talk_loss_db": level(near[: both.size][spoke]) - level(both[spoke]),
        "false_turns": false_turns,
        "us_per_frame": us,
    }


def _through(
    control: EchoControl, far: NDArray[np.int16], near: NDArray[np.int16], seed: int, delay_ms: int
) -> tuple[NDArray[np.int16], float, int]:
    """What leaves, µs per frame, and how often the server hears somebody begin."""
    room, detector = Room(seed=seed, delay_ms=delay_ms, echo_db=ECHO_DB, like=far), SpeechDetector()
    out, spent, starts = [], [], 0
    for at in range(0, far.size - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        played = far[at : at + FRAME_SAMPLES]
        captured = room.hear(played, near[at : at + FRAME_SAMPLES])
        began = time.perf_counter()
        for block in np.split(played, 2):
            control.played(block)
        frame = control.clean(captured)
        spent.append(time.perf_counter() - began)
        out.append(frame.samples)
        starts += sum(isinstance(event, SpeechStarted) for event in detector.feed(frame))
    return np.concatenate(out), statistics.median(spent) * 1e6, starts


def _medians(rooms: list[dict[str, float]]) -> dict[str, float]:
    figures = {name: round(statistics.median(room[name] for room in rooms), 1) for name in rooms[0]}
    return figures | {"false_turns": sum(room["false_turns"] for room in rooms)}
