"""What the microphone hears of the loudspeaker: how late, and how loud. Measured with a chirp, reckoned here.

Not a player: whoever plays the chirp hands in what the card got and what the microphone gave, side by side.
Law: an echo that does not stand out of the noise is none; a figure is never made up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.canceller import is_installed
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.frames import SAMPLE_RATE, pcm16_from_float
from couchvoice.audio.reference import HOLD_MS

CHIRP_SECONDS = 1.0
LONGEST_DELAY_MS = 1000
INAUDIBLE = -45.0  # dB: the assistant's words come back below a room's noise
LOUD = -10.0  # dB: over it a person would have to shout to be louder than the echo
LATEST_MS = 400  # ms: what comes later is beyond AEC3's search, and near the end of HOLD_MS

_LOWEST, _HIGHEST = 300.0, 5000.0  # Hz: what small loudspeakers can and voices need
_PEAK = 0.25  # of full scale, -12 dBFS
_FADE_SECONDS = 0.02
_REGULAR = 1e-3  # of the strongest frequency: beside the chirp's there is nothing to divide by
_BEFORE, _AFTER = SAMPLE_RATE // 200, SAMPLE_RATE * 15 // 100  # samples round the peak: the direct way, and the room
_STANDS_OUT = 12.0  # times the median; the largest of 48,000 samples of noise is 7 times it


@dataclass(frozen=True, slots=True)
class Echo:
    """``delay_ms`` from a sample's leaving us for the card to its coming back; ``coupling_db``: its energy then."""

    delay_ms: float
    coupling_db: float


def chirp() -> NDArray[np.int16]:
    """A sweep of one second, 48 kHz mono, rising by octaves, faded at both ends."""
    time = np.arange(int(CHIRP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    octaves = np.log(_HIGHEST / _LOWEST) / CHIRP_SECONDS
    sweep = _PEAK * np.sin(2 * np.pi * _LOWEST * np.expm1(octaves * time) / octaves)
    fade = np.clip(np.minimum(time, time[-1] - time) / _FADE_SECONDS, 0.0, 1.0)
    return pcm16_from_float(sweep * fade)


def find_echo(played: NDArray[np.int16], recorded: NDArray[np.int16]) -> Echo | None:
    """``played`` and ``recorded`` begin at the same time, 48 kHz mono. None: the chirp did not come back."""
    size = 1 << (played.size + recorded.size).bit_length()
    spectrum = np.fft.rfft(played, size)
    power = np.abs(spectrum) ** 2
    if not power.any():
        return None
    response = np.fft.irfft(np.fft.rfft(recorded, size) * np.conj(spectrum) / (power + _REGULAR * power.max()), size)[
        : LONGEST_DELAY_MS * SAMPLE_RATE // 1000
    ]
    at = int(np.argmax(np.abs(response)))
    window = slice(max(0, at - _BEFORE), at + _AFTER)
    rest = np.concatenate([response[: window.start], response[window.stop :]])
    if np.abs(response[at]) <= _STANDS_OUT * np.median(np.abs(rest)):
        return None
    came_back = np.abs(np.fft.rfft(response[window], size) * spectrum) ** 2
    return Echo(
        delay_ms=round(at * 1000 / SAMPLE_RATE, 1),
        coupling_db=round(float(10 * np.log10(came_back.sum() / power.sum())), 1),
    )


def advise(echo: Echo | None) -> tuple[EchoPolicy, str]:
    """The policy for this room, and why."""
    if echo is None:
        return EchoPolicy.NONE, "the microphone does not hear the loudspeaker: headphones, or it is turned off"
    heard = f"the microphone hears the loudspeaker at {echo.coupling_db:.0f} dB after {echo.delay_ms:.0f} ms"
    if echo.coupling_db < INAUDIBLE:
        return EchoPolicy.NONE, f"{heard}: too quiet to matter"
    if echo.delay_ms > LATEST_MS:
        late = f"too late to be cancelled, and from {HOLD_MS} ms on for anything: use headphones"
        return EchoPolicy.HALF_DUPLEX, f"{heard}: {late}"
    if is_installed():
        return EchoPolicy.AEC, f"{heard}: it can be cancelled"
    if echo.coupling_db <= LOUD:
        return EchoPolicy.DUCK, f"{heard}: who speaks is louder, and livekit, which would cancel it, is not installed"
    return EchoPolicy.HALF_DUPLEX, f"{heard}: as loud as a person, and livekit, which would cancel it, is not installed"
