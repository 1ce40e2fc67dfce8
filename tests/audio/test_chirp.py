"""The echo that a chirp finds, in rooms of which everything is known."""

from __future__ import annotations

import numpy as np
import pytest

from couchvoice.audio import chirp as chirps
from couchvoice.audio.chirp import Echo, advise, chirp, find_echo
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, silence
from tests.audio.room import Room

PLAYED = np.concatenate([silence(SAMPLE_RATE // 2), chirp(), silence(SAMPLE_RATE + FRAME_SAMPLES // 2)])[
    : 2 * SAMPLE_RATE + SAMPLE_RATE // 2
]


def recorded(room: Room) -> np.ndarray:
    return np.concatenate([room.hear(frame).samples for frame in PLAYED.reshape(-1, FRAME_SAMPLES)])


@pytest.mark.row("P3")
@pytest.mark.parametrize(("seed", "delay_ms"), [(1, 20), (2, 87), (3, 180), (4, 350)])
@pytest.mark.parametrize("coupling", [0.0, -10.0, -30.0])
def test_delay_and_coupling_are_those_of_the_room(seed: int, delay_ms: int, coupling: float):
    room = Room(seed=seed, delay_ms=delay_ms, echo_db=coupling, like=chirp())
    echo = find_echo(PLAYED, recorded(room))
    assert echo is not None
    assert echo.delay_ms == pytest.approx(delay_ms, abs=1.0)
    assert echo.coupling_db == pytest.approx(coupling, abs=1.5)


@pytest.mark.parametrize("hiss", [0.0, 10.0, 1000.0])
def test_headphones_have_no_echo_however_loud_the_noise_is(hiss: float):
    room = Room(seed=5, delay_ms=50, echo_db=None, like=chirp(), hiss=hiss)
    assert find_echo(PLAYED, recorded(room)) is None


def test_nothing_played_is_nothing_found():
    assert find_echo(silence(SAMPLE_RATE), chirp()) is None


@pytest.mark.row("P3")
@pytest.mark.parametrize(
    ("echo", "has_livekit", "policy", "reason"),
    [
        (None, True, EchoPolicy.NONE, "headphones"),
        (Echo(40, -52), True, EchoPolicy.NONE, "-52 dB after 40 ms: too quiet"),
        (Echo(40, -10), True, EchoPolicy.AEC, "cancelled"),
        (Echo(40, -20), False, EchoPolicy.DUCK, "who speaks is louder"),
        (Echo(40, -3), False, EchoPolicy.HALF_DUPLEX, "as loud as a person"),
        (Echo(620, -10), True, EchoPolicy.HALF_DUPLEX, "use headphones"),
    ],
)
def test_the_policy_follows_from_the_echo_and_from_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, echo: Echo | None, has_livekit: bool, policy: EchoPolicy, reason: str
):
    monkeypatch.setattr(chirps, "is_installed", lambda: has_livekit)
    advised, why = advise(echo)
    assert advised is policy
    assert reason in why
