"""Protection against the assistant hearing itself: the loudspeaker is in the microphone.

Each policy (echo_policy.py) is a file of its own; here is what they share and which one is taken.
Law: the reference is what the card got, never what the provider sent.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.canceller import Canceller, Libwebrtc, is_installed
from couchvoice.audio.ducking import Ducking
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.frames import AudioFrame, silence
from couchvoice.audio.half_duplex import HalfDuplex
from couchvoice.audio.noise_gate import NoiseGate


class EchoControl(Protocol):
    """Stands between the microphone and the track, and knows what the loudspeaker plays."""

    def played(self, samples: NDArray[np.int16]) -> None:
        """The card got these: 48 kHz mono. Called in the card's thread: only keeps them. Never raises."""

    def clean(self, frame: AudioFrame) -> AudioFrame:
        """The next 20 ms of the microphone, 48 kHz, on the event loop: as much sound comes back."""


def choose_policy(asked: EchoPolicy, *, between_cards: bool) -> EchoPolicy:
    """Never AUTO. ``between_cards``: both ends are sound cards; a file hears nobody, and nobody hears a file.

    Nothing is measured: that plays a sound, which is for ``couchvoice doctor --echo``.
    """
    if asked is not EchoPolicy.AUTO:
        return asked
    if not between_cards:
        return EchoPolicy.NONE
    return EchoPolicy.AEC if is_installed() else EchoPolicy.HALF_DUPLEX


def echo_control(policy: EchoPolicy, *, noise_suppression: bool = False) -> EchoControl:
    """For one talk. Raises ConfigError for AEC where the livekit package does not load.

    ``noise_suppression``: libwebrtc's where it is installed, and behind it a gate that only a voice close by opens.
    """
    match policy:
        case EchoPolicy.AEC:
            control: EchoControl = Canceller(noise_suppression=noise_suppression)
        case EchoPolicy.DUCK:
            control = Ducking()
        case EchoPolicy.HALF_DUPLEX:
            control = HalfDuplex()
        case EchoPolicy.NONE:
            control = Unprotected()
        case EchoPolicy.AUTO:
            raise ValueError("auto is no policy: choose_policy decides")
    if not noise_suppression:
        return control
    has_suppressor = policy is not EchoPolicy.AEC and is_installed()
    return _Quietened(control, Libwebrtc(noise_suppression=True) if has_suppressor else None)


class Unprotected:
    """An EchoControl that changes nothing: headphones, files."""

    def played(self, samples: NDArray[np.int16]) -> None:
        pass

    def clean(self, frame: AudioFrame) -> AudioFrame:
        return frame


class _Quietened:
    """An EchoControl with the noise taken out. A suppressor stands before the echo's gate, which would hide the noise
    from it; with cancellation, which needs the microphone as it was, both are one step of libwebrtc's."""

    def __init__(self, control: EchoControl, suppressor: Libwebrtc | None) -> None:
        self.played = control.played
        self._control = control
        self._suppressor = suppressor
        self._gate = NoiseGate()

    def clean(self, frame: AudioFrame) -> AudioFrame:
        if self._suppressor is not None:
            frame = AudioFrame(self._suppressor.clean(frame.samples, silence(0)), frame.rate)
        return self._gate.clean(self._control.clean(frame))
