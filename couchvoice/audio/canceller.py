"""Echo cancellation by libwebrtc's AEC3, out of the livekit package: no server, no network, 10 ms at a time.

AEC3 alone is not enough for an assistant, to whom any word is an interruption: it lets some through in the first two
seconds that it hears of the loudspeaker, and now and then later. Hence three guards while the loudspeaker may be heard:
until WARM_UP_MS of it the microphone is closed; a frame of which AEC3 took away nearly everything was echo, whatever is
left of it; and so was what is much quieter than the echo was before. Law: what no loudspeaker covers passes unchanged.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.echo_level import EchoLevel
from couchvoice.audio.fader import Fader, level
from couchvoice.audio.frames import FRAME_MS, SAMPLE_RATE, AudioFrame, is_audible, silence
from couchvoice.audio.reference import Audibility, Reference
from couchvoice.errors import ConfigError

WARM_UP_MS = 2500  # ms of audible loudspeaker; words leaked up to 1.9 s in 50 rooms
ECHO_SHARE = 12.0  # dB taken away: that was echo. In double talk it is 0 to 10
UNDER_ECHO = 12.0  # dB under the loudest echo to be expected: a person who is to be understood is not so quiet
PASSING_MS = 200  # ms in which a person, once heard, may be quieter

_PASSING = PASSING_MS // FRAME_MS
_BLOCK = SAMPLE_RATE // 100  # samples, libwebrtc's 10 ms
_WARM_UP = WARM_UP_MS * SAMPLE_RATE // 1000
_PACKAGE = "livekit"


def is_installed() -> bool:
    """Whether livekit is there; its native library is not loaded for that."""
    return importlib.util.find_spec(_PACKAGE) is not None


class Libwebrtc:
    """libwebrtc's audio processing. Sound is int16 mono at 48 kHz; what is less than 10 ms waits for more."""

    def __init__(self, *, echo_cancellation: bool = False, noise_suppression: bool = False) -> None:
        """Raises ConfigError without the livekit package, or when its library does not load."""
        self._frame, self._module = _load(echo_cancellation=echo_cancellation, noise_suppression=noise_suppression)
        self._unrendered = silence(0)

    def clean(self, samples: NDArray[np.int16], reference: NDArray[np.int16]) -> NDArray[np.int16]:
        """The captured ``samples``, a multiple of 10 ms, of which ``reference`` was played meanwhile."""
        rendered = np.concatenate([self._unrendered, reference])
        blocks = [rendered[at : at + _BLOCK] for at in range(0, rendered.size - _BLOCK + 1, _BLOCK)]
        self._unrendered = rendered[len(blocks) * _BLOCK :]
        captures = np.split(samples, samples.size // _BLOCK)
        out = []
        for number, capture in enumerate(captures):
            # Taking turns, as the two devices do: AEC3 loses its alignment when one side runs far ahead.
            share = -(-len(blocks) // (len(captures) - number))
            for block in blocks[:share]:
                self._module.process_reverse_stream(self._wrapped(block))
            del blocks[:share]
            wrapped = self._wrapped(capture)
            self._module.process_stream(wrapped)
            out.append(np.frombuffer(wrapped.data, dtype=np.int16))
        return np.concatenate(out)

    def _wrapped(self, block: NDArray[np.int16]) -> Any:
        return self._frame(bytearray(block.tobytes()), SAMPLE_RATE, 1, _BLOCK)


class Canceller:
    """An EchoControl."""

    def __init__(self, *, noise_suppression: bool = False) -> None:
        """Raises ConfigError, as Libwebrtc."""
        self._libwebrtc = Libwebrtc(echo_cancellation=True, noise_suppression=noise_suppression)
        self._reference = Reference()
        self._audibility = Audibility()
        self._echo = EchoLevel()
        self._fader = Fader()
        self._learnt = 0  # samples of audible loudspeaker
        self._passing = 0  # frames to go

    def played(self, samples: NDArray[np.int16]) -> None:
        self._reference.played(samples)

    def clean(self, frame: AudioFrame) -> AudioFrame:
        reference = self._reference.take(frame.samples.size)
        cleaned = AudioFrame(self._libwebrtc.clean(frame.samples, reference), frame.rate)
        self._echo.play(reference)
        if is_audible(reference):
            self._learnt = min(_WARM_UP, self._learnt + reference.size)
        if not self._audibility.hear(reference, frame.samples.size):
            return self._fader.turn(cleaned, 1.0)
        return self._fader.turn(cleaned, 1.0 if self._is_person(level(frame.samples), level(cleaned.samples)) else 0.0)

    def _is_person(self, heard: float, left: float) -> bool:
        echo = self._echo.expect(heard)
        if self._learnt < _WARM_UP or echo is None or heard - left > ECHO_SHARE:
            return False
        self._passing = _PASSING if left > echo - UNDER_ECHO else max(0, self._passing - 1)
        return self._passing > 0


def _load(*, echo_cancellation: bool, noise_suppression: bool) -> tuple[Callable[..., Any], Any]:
    try:
        from livekit import rtc

        # The native library is loaded here, not by the import.
        module = rtc.AudioProcessingModule(echo_cancellation=echo_cancellation, noise_suppression=noise_suppression)
    except ImportError as exc:
        raise ConfigError(
            "echo cancellation needs the livekit package: pip install 'couchvoice[aec]', or choose --echo half-duplex"
        ) from exc
    return rtc.AudioFrame, module
