"""Echo cancellation by libwebrtc's AEC3, out of the livekit package: no server, no network, 10 ms at a time.

AEC3 alone is not enough for an assistant, to whom any word is an interruption: it lets some through in the first two
seconds that it hears of the loudspeaker, after a jump of the echo's delay, and now and then besides. Hence guards while
the loudspeaker may be heard: until AEC3 is trusted the microphone is closed; a frame of which it took away nearly
everything was echo, whatever is left of it; and so was what is much quieter than the echo was before.
Law: what no loudspeaker covers passes unchanged.
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

PROOF_MS = 1000  # ms of cancelled echo until it is trusted again, after a card was late or somebody was let through
PROOF_SHARE = 4  # frames that prove nothing and yet count as one that does: there may be no echo at all
LATE_MS = 40  # ms that a card is late: it has run dry, and its delay is another one now
WARM_UP_MS = 2500  # ms of audible loudspeaker; words leaked up to 1.9 s in 50 rooms
ECHO_SHARE = 12.0  # dB taken away: that was echo. In double talk it is 0 to 10
UNDER_ECHO = 12.0  # dB under the loudest echo to be expected: a person who is to be understood is not so quiet
PASSING_MS = 200  # ms in which a person, once heard, may be quieter

_PASSING = PASSING_MS // FRAME_MS
_BLOCK = SAMPLE_RATE // 100  # samples, libwebrtc's 10 ms
_PROOF = PROOF_SHARE * PROOF_MS // FRAME_MS
_WARM_UP = WARM_UP_MS // FRAME_MS
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
        self._warming = _WARM_UP  # frames of audible loudspeaker to go
        self._proof = 0  # what is still to be proved, in quarters of a frame
        self._passing = 0  # frames to go
        self._let_through = False  # somebody, since the loudspeaker was silent

    def played(self, samples: NDArray[np.int16]) -> None:
        self._reference.played(samples)

    def clean(self, frame: AudioFrame) -> AudioFrame:
        reference = self._reference.take(frame.samples.size)
        cleaned = AudioFrame(self._libwebrtc.clean(frame.samples, reference), frame.rate)
        self._echo.play(reference)
        if self._reference.behind_ms >= LATE_MS:
            self._proof = _PROOF
        if not self._audibility.hear(reference, frame.samples.size):
            if self._let_through:
                # A person, or an echo that has moved: before it happens again the canceller shows that it works.
                self._proof, self._let_through = _PROOF, False
            return self._fader.turn(cleaned, 1.0)
        is_person = self._is_person(reference, level(frame.samples), level(cleaned.samples))
        self._let_through = self._let_through or is_person
        return self._fader.turn(cleaned, 1.0 if is_person else 0.0)

    def _is_person(self, reference: NDArray[np.int16], heard: float, left: float) -> bool:
        echo = self._echo.expect(heard)
        is_cancelled = heard - left > ECHO_SHARE
        is_trusted = not (self._warming or self._proof) and echo is not None
        if is_audible(reference):
            self._warming = max(0, self._warming - 1)
            self._proof = max(0, self._proof - (PROOF_SHARE if is_cancelled else 1))
        if not is_trusted or is_cancelled:
            return False
        assert echo is not None  # part of the trust
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
