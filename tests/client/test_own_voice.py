"""Our own voice for answers that come in writing: into the playout buffer, one after the other, until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.sink import NullSink
from couchvoice.client.own_voice import OwnVoice, Speak
from couchvoice.core.notices import Notice, Problem
from couchvoice.core.server_events import OutputBufferStarted, OutputBufferStopped
from tests.audio.tones import pcm16, tone
from tests.patience import until

SPEECH = 0.2  # seconds
LONG = 30.0  # seconds

Told = OutputBufferStarted | OutputBufferStopped


def sound(seconds: float = SPEECH, *, rate: int = SAMPLE_RATE) -> AudioFrame:
    return AudioFrame(pcm16(tone(seconds, rate=rate)), rate)


@dataclass
class Stage:
    voice: OwnVoice
    playout: PlayoutBuffer
    tasks: asyncio.TaskGroup
    told: list[Told] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def say(self, response_id: str, text: str = "Hello.") -> None:
        self.voice.begin(response_id, text, self.tasks)

    async def spoken(self, *response_ids: str) -> None:
        await until(lambda: [event.response_id for event in self.told[1::2]] == list(response_ids))


@asynccontextmanager
async def staged(speak: Speak) -> AsyncIterator[Stage]:
    told: list[Told] = []
    notices: list[Notice] = []
    playout, sink = PlayoutBuffer(), NullSink()
    await sink.open(playout)
    voice = OwnVoice(speak, playout, tell=told.append, observe=notices.append)
    try:
        async with asyncio.TaskGroup() as tasks:
            yield Stage(voice, playout, tasks, told, notices)
            voice.stop()
    finally:
        await sink.close()


@pytest.mark.row("E10")
@pytest.mark.parametrize("rate", [16_000, 22_050, SAMPLE_RATE])
async def test_what_is_spoken_is_heard_whole_whatever_its_rate(rate: int):
    async def speak(text: str) -> AudioFrame:
        return sound(rate=rate)

    async with staged(speak) as stage:
        stage.say("r1")
        await stage.spoken("r1")
        assert stage.told == [OutputBufferStarted(response_id="r1"), OutputBufferStopped(response_id="r1")]
        assert stage.playout.counters.played_ms == pytest.approx(SPEECH * 1000, abs=2)


@pytest.mark.row("E10")
async def test_a_long_answer_loses_nothing_to_the_limit_of_the_buffer():
    async def speak(text: str) -> AudioFrame:
        return sound(LONG)

    async with staged(speak) as stage:
        stage.say("r1")
        await until(lambda: stage.playout.counters.played_ms > SPEECH * 1000)
        assert stage.playout.buffered_ms < SPEECH * 1000
        assert stage.playout.counters.dropped_ms == 0


@pytest.mark.row("E10")
async def test_answers_are_spoken_one_after_the_other():
    spoken: list[str] = []

    async def speak(text: str) -> AudioFrame:
        spoken.append(text)
        return sound()

    async with staged(speak) as stage:
        stage.say("r1", "One.")
        stage.say("r2", "Two.")
        await stage.spoken("r1", "r2")
        assert spoken == ["One.", "Two."]
        assert [event.response_id for event in stage.told] == ["r1", "r1", "r2", "r2"]


@pytest.mark.row("E5", "E10")
async def test_stopping_ends_what_is_spoken_and_what_waits():
    async def speak(text: str) -> AudioFrame:
        return sound(LONG)

    async with staged(speak) as stage:
        stage.say("r1")
        stage.say("r2")
        await until(lambda: stage.voice.sounding)
        stage.voice.stop()
        await until(lambda: not stage.voice.sounding)
        await stage.spoken("r1")


@pytest.mark.row("E10")
async def test_whoever_is_stopped_before_it_could_speak_has_ended_too():
    async def speak(text: str) -> AudioFrame:
        return sound(LONG)

    async with staged(speak) as stage:
        stage.say("r1")
        stage.say("r2")
        await until(lambda: stage.voice.sounding)
        stage.say("r3")
        stage.voice.stop()  # r2 waits, r3 has not made its first step
        stopped = [OutputBufferStopped(response_id=name) for name in ("r1", "r2", "r3")]
        await until(lambda: all(event in stage.told for event in stopped))
        assert len(stage.told) == 4


@pytest.mark.row("A10", "E10")
async def test_with_the_end_of_the_talk_it_falls_silent_for_good_and_nothing_was_heard_out():
    async def speak(text: str) -> AudioFrame:
        return sound(LONG)

    async with staged(speak) as stage:
        stage.say("r1")
        await until(lambda: stage.voice.sounding)
        stage.voice.close()
        await until(lambda: not stage.voice.sounding)
        stage.say("r2")
        stage.playout.flush()
    assert stage.told == [OutputBufferStarted(response_id="r1")]


@pytest.mark.row("E10")
@pytest.mark.parametrize("failure", [RuntimeError("no engine"), ValueError("no rate")])
async def test_a_voice_that_fails_is_a_problem_and_the_next_answer_is_spoken(
    failure: Exception, caplog: pytest.LogCaptureFixture
):
    failures = [failure]

    async def speak(text: str) -> AudioFrame:
        if failures:
            raise failures.pop()
        return sound()

    async with staged(speak) as stage:
        stage.say("r1")
        stage.say("r2")
        await until(lambda: OutputBufferStopped(response_id="r2") in stage.told)
        assert stage.told[0] == OutputBufferStopped(response_id="r1")
        assert [type(notice) for notice in stage.notices] == [Problem]
    assert "could not be spoken" in caplog.text


@pytest.mark.row("E10")
async def test_the_providers_silence_makes_room_and_its_sound_goes_first():
    quiet, loud = AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE), sound()

    async def speak(text: str) -> AudioFrame:
        return sound(LONG)

    async with staged(speak) as stage:
        assert not stage.voice.covers(quiet)
        assert not stage.voice.covers(loud)
        stage.say("r1")
        await until(lambda: stage.voice.sounding)
        assert stage.voice.covers(quiet)
        assert not stage.voice.covers(loud)
        await stage.spoken("r1")


@pytest.mark.row("E10")
async def test_a_loudspeaker_that_stands_still_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("couchvoice.client.own_voice.DRAIN_FRAMES", 2)

    async def speak(text: str) -> AudioFrame:
        return sound()

    told: list[Told] = []
    voice = OwnVoice(speak, PlayoutBuffer(), tell=told.append, observe=lambda notice: None)
    async with asyncio.timeout(SPEECH + 2), asyncio.TaskGroup() as tasks:
        voice.begin("r1", "Hello.", tasks)
    assert len(told) == 2


def test_what_is_audible_is_judged_without_overflow():
    voice = OwnVoice(_nothing, PlayoutBuffer(), tell=lambda event: None, observe=lambda notice: None)
    lowest = AudioFrame(np.full(FRAME_SAMPLES, -32768, np.int16), SAMPLE_RATE)
    assert not voice.covers(lowest)


async def _nothing(text: str) -> AudioFrame:
    return AudioFrame(silence(0), SAMPLE_RATE)
