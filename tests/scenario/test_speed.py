"""Talks on the media clock: the same words, tools and turns as in real time, at a fraction of its CPU seconds."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.embedded import embedded_ends
from couchvoice.scenario import runner
from couchvoice.scenario.collect import SHIPPED
from couchvoice.scenario.forwarder import Forwarder
from couchvoice.scenario.media_clock import run
from couchvoice.scenario.named_weather import weather_named
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.scenario.talk_record import ToolSpan, TurnEntry, Words
from couchvoice.scenario.weather import Passage
from couchvoice.settings import load_settings
from tests.scenario.paced_talks import FIXTURES, TALKS, Held, PacedTalk, hold

LEAST = 4.0  # media seconds for a second of CPU
TRIES = 3
TOLERANCE = 1.0  # seconds; in real time a busy machine adds to a talk, on the media clock it cannot
# Under 20 s each, and no more at once than a busy machine can keep up with.
IN_REAL_TIME = ("barge-in", "remembered")
SHIPPED_IN_REAL_TIME = ("t14-barge-in", "t22-result-reaches-both")

LARGE = 400  # bytes
FIRST_REPETITION, LAST_REPETITION = 1000.0, 4000.0  # ms; RFC 6347 §4.2.4.1: after 1 s, then twice that

pytestmark = pytest.mark.timeout(90)  # seconds: one talk is held in real time, and a busy machine gives little CPU


def held(*talks: PacedTalk, state: Path, speed: float | None) -> list[Held]:
    """All at once, on one loop, each with nothing kept before."""

    async def hold_all() -> list[Held]:
        return await asyncio.gather(*(hold(talk, Path(tempfile.mkdtemp(dir=state))) for talk in talks))

    return run(hold_all(), speed=speed)


def spoken(talk: PacedTalk) -> list[str]:
    return (FIXTURES / talk.wav).with_suffix(".txt").read_text(encoding="utf-8").splitlines() if talk.wav else []


@pytest.mark.row("P17")
@pytest.mark.timeout(180)
def test_a_talk_is_the_same_in_real_time_and_faster(tmp_path):
    talks = [TALKS[name] for name in IN_REAL_TIME]
    fast = [one for talk in talks for one in held(talk, state=tmp_path, speed=None)]
    # Real time is what a busy machine can spoil: then, and only then, it gets another chance.
    for _ in range(TRIES):
        slow = held(*talks, state=tmp_path, speed=1)
        if [one.what for one in slow] == [one.what for one in fast]:
            break
    assert [one.what for one in slow] == [one.what for one in fast]
    assert all(one.media <= other.media + TOLERANCE for one, other in zip(fast, slow, strict=True))
    assert [len(one.stops) for one in fast] == [len(one.stops) for one in slow]


def what_happened(scenario: runner.Held) -> list[tuple[object, ...]]:
    """The words, the tools and the turns, without their times."""
    record = scenario.record
    assert record is not None  # it was held
    return [
        *(("words", words.who, words.text, words.interrupted) for words in record.of(Words)),
        *(("tool", span.name, span.status, span.arguments, span.output) for span in record.of(ToolSpan)),
        *(
            ("turn", turn.user_text, turn.assistant_text, turn.outcome, turn.tool_calls)
            for turn in record.of(TurnEntry)
        ),
    ]


@pytest.mark.row("P17")
@pytest.mark.timeout(180)
def test_a_shipped_scenario_is_the_same_in_real_time_and_faster():
    scenarios = [found for name in SHIPPED_IN_REAL_TIME for found in read_scenarios(SHIPPED / f"{name}.yaml")]
    settings = load_settings()

    async def hold_all() -> list[list[tuple[object, ...]]]:
        held = await asyncio.gather(*(runner.hold(scenario, settings, speed=1) for scenario in scenarios))
        return [what_happened(one) for one in held]

    fast = [what_happened(runner.run_scenario(scenario, settings)) for scenario in scenarios]
    for _ in range(TRIES):
        slow = run(hold_all(), speed=1)
        if slow == fast:
            break
    assert slow == fast
    assert all(fast)


@pytest.mark.row("P17")
@pytest.mark.parametrize("name", TALKS)
def test_a_talk_takes_a_quarter_of_its_time_at_most(name, tmp_path):
    talk = TALKS[name]
    (fast,) = held(talk, state=tmp_path, speed=None)
    assert fast.media >= LEAST * fast.cpu
    assert fast.media >= talk.lasts
    assert fast.users_words == [*spoken(talk), *talk.lines]


@pytest.mark.row("P17")
@pytest.mark.parametrize("weather", ["mobile", "heavy_loss"])
def test_weather_is_weather_at_any_speed(weather, tmp_path):
    talk = replace(TALKS["two-tools"], weather=weather_named(weather))
    (fast,) = held(talk, state=tmp_path, speed=None)
    assert fast.users_words == spoken(talk)
    assert [entry[:1] + entry[3:] for entry in fast.what if entry[0] == "turn"] == [
        ("turn", "completed", "show_memory_status", "lookup_crisis_resources")
    ]


@pytest.mark.row("P17")
def test_a_handshake_that_was_lost_is_repeated_in_time():
    """DTLS repeats by a clock of its own: without regard to it the loop would have waited for 10 s and given up."""

    async def connect() -> float | None:
        async with embedded_ends(load_settings()) as ends, Forwarder(seed=1) as network:
            network.up, network.down = LosesHandshakes(network.up, 1), LosesHandshakes(network.down, 1)
            endpoints = Endpoints(**ends._asdict(), network=network)
            async with VoiceSession(endpoints, source=SilentSource(), sink=NullSink()) as session:
                return session.connect_ms

    connect_ms = run(connect())
    assert connect_ms is not None
    assert FIRST_REPETITION <= connect_ms <= LAST_REPETITION


class LosesHandshakes:
    """A Passage that loses so many of the large datagrams, which only the handshake has."""

    def __init__(self, passage: Passage, lost: int) -> None:
        self._passage = passage
        self._left = lost

    def send(self, size: int, *, now: float) -> tuple[float, ...]:
        if size >= LARGE and self._left:
            self._left -= 1
            return ()
        return self._passage.send(size, now=now)

    @property
    def sent(self) -> int:
        return self._passage.sent
