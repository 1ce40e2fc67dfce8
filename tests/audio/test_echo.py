"""The assistant and its own voice: a closed loop of loudspeaker, room, microphone and the server's ear.

Real are libwebrtc's cancellation and the server's voice detection; the room is reckoned, and no time passes.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio import canceller, echo
from couchvoice.audio.echo import EchoControl, choose_policy, echo_control
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.errors import ConfigError
from couchvoice.local.detector import SpeechDetector, SpeechStarted, SpeechStopped
from tests.audio.room import Room
from tests.local.speech import spoken
from tests.requirements import require

REPLIES = (
    "Yes, I can hear you well. How are you today?",
    "Memory is on for this talk. Kept so far: no finished sessions and one turn. I bring nothing up unasked.",
    "One moment, please.",
)
PERSON = "Stop, please stop. I would like to say something else now."
ANSWERS = 4  # at most: a talk with itself would never end
ECHO_DB = -10.0
SECONDS_BETWEEN = 0.6
HEARD_WITHIN = 1000  # ms


class Loop:
    """One talk: the server answers whoever it hears, as long as it has something to say."""

    def __init__(self, control: EchoControl, *, seed: int, delay_ms: int, echo_db: float | None = ECHO_DB) -> None:
        voice = ("alloy", "echo")[seed % 2]
        self.replies = [spoken(text, voice) for text in np.random.default_rng(seed).permutation(REPLIES)]
        self.room = Room(seed=seed, delay_ms=delay_ms, echo_db=echo_db, like=np.concatenate(self.replies))
        self.control = control
        self.detector = SpeechDetector()
        self.starts: list[int] = []  # ms at which the server heard somebody
        self.ms = 0
        self._queued = silence(0)
        self._answers = 0

    def say(self, reply: NDArray[np.int16]) -> None:
        self._queued = np.concatenate([self._queued, reply])

    def go_on(self, seconds: float, said: NDArray[np.int16] | None = None) -> None:
        """The card pulls its blocks, the microphone hears, the server listens, and does as servers do."""
        said = silence(0) if said is None else said
        for at in range(0, int(seconds * SAMPLE_RATE), FRAME_SAMPLES):
            played = np.concatenate([self._queued[:FRAME_SAMPLES], silence(FRAME_SAMPLES)])[:FRAME_SAMPLES]
            self._queued = self._queued[FRAME_SAMPLES:]
            for block in np.split(played, 2):
                self.control.played(block)
            self._listen(self.control.clean(self.room.hear(played, said[at : at + FRAME_SAMPLES])))

    def talk_alone(self) -> None:
        """The assistant says all it has to say, and nobody else says anything."""
        for reply in self.replies:
            self.say(reply)
            self.go_on(reply.size / SAMPLE_RATE + SECONDS_BETWEEN)

    def be_interrupted(self, by_db: float = 0.0) -> list[int]:
        """Somebody as loud as the loudspeaker, or so much louder, speaks into a reply: the ms after which the server
        heard it, while the reply would have gone on."""
        person = (spoken(PERSON, "shimmer") * 10 ** (by_db / 20)).astype(np.int16)
        self.say(np.concatenate(self.replies[::-1]))
        self.go_on(SECONDS_BETWEEN)
        began = self.ms
        self.go_on(person.size / SAMPLE_RATE, person)
        return [ms - began for ms in self.starts if ms >= began]

    def _listen(self, frame: AudioFrame) -> None:
        self.ms += 20
        for event in self.detector.feed(frame):
            match event:
                case SpeechStarted():
                    self.starts.append(self.ms)
                    self._queued = silence(0)
                case SpeechStopped() if self._answers < ANSWERS:
                    self._answers += 1
                    self.say(self.replies[self._answers % len(self.replies)])


def require_livekit() -> None:
    require(canceller.is_installed(), "livekit (the extra aec)")


@pytest.mark.timeout(90)
@pytest.mark.row("B6")
def test_with_cancellation_the_assistant_answers_itself_in_none_of_ten_rooms_and_a_person_interrupts_it():
    require_livekit()
    for seed in range(10):
        loop = Loop(echo_control(EchoPolicy.AEC), seed=seed, delay_ms=(30, 60, 100, 150, 250)[seed % 5])
        loop.talk_alone()
        assert loop.starts == [], f"seed {seed}: it heard itself"
        assert loop.be_interrupted()[0] < HEARD_WITHIN, f"seed {seed}"


@pytest.mark.parametrize(("seed", "jump_ms"), [(1, -25), (2, 60)])
def test_an_echo_that_jumps_interrupts_the_assistant_once_at_most_and_not_again_and_again(seed: int, jump_ms: int):
    require_livekit()
    loop = Loop(echo_control(EchoPolicy.AEC), seed=seed, delay_ms=60)
    loop.say(np.concatenate(loop.replies))
    loop.go_on(5.0)
    loop.room.delay_more(jump_ms)
    loop.go_on(6.0)
    assert len(loop.starts) <= 1
    loop.starts.clear()
    assert loop.be_interrupted()[0] < HEARD_WITHIN


@pytest.mark.timeout(60)
@pytest.mark.row("B6")
@pytest.mark.parametrize("policy", [EchoPolicy.DUCK, EchoPolicy.HALF_DUPLEX])
def test_without_livekit_the_assistant_does_not_answer_itself_either(policy: EchoPolicy):
    for seed in range(4):
        loop = Loop(echo_control(policy), seed=seed, delay_ms=(30, 60, 100, 250)[seed])
        loop.talk_alone()
        assert loop.starts == [], f"seed {seed}"


def test_unprotected_it_answers_itself_as_long_as_it_has_something_to_say():
    loop = Loop(echo_control(EchoPolicy.NONE), seed=0, delay_ms=60)
    loop.say(loop.replies[0])
    loop.go_on(12.0)
    assert len(loop.starts) > ANSWERS / 2


@pytest.mark.row("B6")
def test_with_headphones_and_no_protection_nobody_is_heard_but_who_speaks():
    loop = Loop(echo_control(EchoPolicy.NONE), seed=0, delay_ms=60, echo_db=None)
    loop.talk_alone()
    assert loop.starts == []
    assert loop.be_interrupted()[0] < HEARD_WITHIN


@pytest.mark.row("B6")
def test_ducking_lets_a_person_interrupt_who_is_louder_than_the_echo():
    loop = Loop(echo_control(EchoPolicy.DUCK), seed=3, delay_ms=100)
    loop.talk_alone()
    assert loop.be_interrupted()[0] < HEARD_WITHIN


def test_half_duplex_hears_nobody_before_the_assistant_has_finished():
    loop = Loop(echo_control(EchoPolicy.HALF_DUPLEX), seed=3, delay_ms=100)
    assert loop.be_interrupted() == []
    loop.go_on(30.0)
    loop.go_on(1.0, spoken(PERSON, "shimmer"))
    assert len(loop.starts) == 1


def test_auto_cancels_between_two_cards_where_livekit_is_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(echo, "is_installed", lambda: True)
    assert choose_policy(EchoPolicy.AUTO, between_cards=True) is EchoPolicy.AEC
    assert choose_policy(EchoPolicy.AUTO, between_cards=False) is EchoPolicy.NONE


def test_auto_takes_turns_between_two_cards_where_it_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(echo, "is_installed", lambda: False)
    assert choose_policy(EchoPolicy.AUTO, between_cards=True) is EchoPolicy.HALF_DUPLEX


@pytest.mark.parametrize("asked", [policy for policy in EchoPolicy if policy is not EchoPolicy.AUTO])
@pytest.mark.parametrize("between_cards", [True, False])
def test_what_was_asked_for_is_what_one_gets(asked: EchoPolicy, between_cards: bool):
    assert choose_policy(asked, between_cards=between_cards) is asked


def test_cancellation_without_livekit_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(ConfigError, match=r"pip install 'couchvoice\[aec\]', or choose --echo half-duplex"):
        echo_control(EchoPolicy.AEC)


@pytest.mark.parametrize("policy", [policy for policy in EchoPolicy if policy is not EchoPolicy.AUTO])
@pytest.mark.parametrize("noise_suppression", [False, True])
def test_every_policy_gives_back_as_much_sound_as_it_gets(policy: EchoPolicy, noise_suppression: bool):
    if policy is EchoPolicy.AEC:
        require_livekit()
    control = echo_control(policy, noise_suppression=noise_suppression)
    rng = np.random.default_rng(7)
    for block in (480, 480, 0, 960, 441, 2000):
        control.played(rng.integers(-9000, 9000, block, dtype=np.int16))
        frame = control.clean(AudioFrame(rng.integers(-9000, 9000, FRAME_SAMPLES, dtype=np.int16), SAMPLE_RATE))
        assert (frame.samples.shape, frame.samples.dtype, frame.rate) == ((FRAME_SAMPLES,), np.int16, SAMPLE_RATE)
