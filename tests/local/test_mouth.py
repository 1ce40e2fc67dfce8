"""The mouth speaks in real time, one response after the other, and is silent at once when hushed."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.local.mouth import LOOKAHEAD_MS, Mouth

FRAMES = 15
LATE = 0.05  # seconds, that a busy machine may be late


class Speaker:
    """A mouth, and what it told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.mouth = Mouth(
            on_started=lambda response_id: self.told.append(f"started {response_id}"),
            on_drained=lambda response_id: self.told.append(f"drained {response_id}"),
        )

    def say(self, response_id: str, frames: float, level: int = 1) -> None:
        self.mouth.say(response_id, AudioFrame(np.full(int(frames * FRAME_SAMPLES), level, np.int16), SAMPLE_RATE))

    async def read(self, frames: int = 1) -> list[int]:
        """The sum of each frame, in samples of level 1."""
        return [int((await self.mouth.read()).samples.sum()) for _ in range(frames)]


@pytest.fixture
async def speaker() -> Speaker:
    return Speaker()


async def test_a_frame_of_20_ms_comes_every_20_ms_with_and_without_words(speaker: Speaker) -> None:
    speaker.say("a", FRAMES // 2)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for frame in range(FRAMES):
        sound = await speaker.mouth.read()
        assert (sound.samples.size, sound.rate) == (FRAME_SAMPLES, SAMPLE_RATE)
        assert -0.001 <= loop.time() - start - frame * FRAME_MS / 1000 < LATE


async def test_a_response_is_announced_with_its_first_sample_and_after_its_last(speaker: Speaker) -> None:
    speaker.say("a", 1.5)
    assert speaker.told == []
    assert await speaker.read() == [FRAME_SAMPLES]
    assert speaker.told == ["started a"]
    assert await speaker.read(2) == [FRAME_SAMPLES // 2, 0]
    assert speaker.told == ["started a", "drained a"]
    assert speaker.mouth.said_ms == 2 * FRAME_MS


async def test_sentences_of_a_response_are_one_sound(speaker: Speaker) -> None:
    speaker.say("a", 0.5)
    speaker.say("a", 1.5)
    assert await speaker.read(2) == [FRAME_SAMPLES, FRAME_SAMPLES]
    assert speaker.told == ["started a", "drained a"]


async def test_a_response_that_ran_dry_goes_on_without_a_new_start(speaker: Speaker) -> None:
    speaker.say("a", 1)
    await speaker.read(2)
    speaker.say("a", 1)
    await speaker.read()
    assert speaker.told == ["started a", "drained a", "drained a"]
    assert speaker.mouth.said_ms == 2 * FRAME_MS


async def test_two_responses_do_not_share_a_frame(speaker: Speaker) -> None:
    speaker.say("a", 0.5)
    speaker.say("b", 1)
    assert await speaker.read() == [FRAME_SAMPLES // 2]
    assert speaker.told == ["started a", "drained a"]
    assert await speaker.read() == [FRAME_SAMPLES]
    assert speaker.told[2:] == ["started b", "drained b"]
    assert speaker.mouth.said_ms == FRAME_MS


async def test_what_is_hushed_is_never_heard_and_the_others_are(speaker: Speaker) -> None:
    speaker.say("a", 5)
    speaker.say("b", 1, level=2)
    await speaker.read()
    speaker.mouth.hush("a")
    assert await speaker.read(2) == [2 * FRAME_SAMPLES, 0]
    assert speaker.told == ["started a", "started b", "drained b"]


async def test_a_hushed_response_that_speaks_again_is_announced_again(speaker: Speaker) -> None:
    speaker.say("a", 5)
    await speaker.read(2)
    speaker.mouth.hush("a")
    speaker.say("a", 1)
    await speaker.read()
    assert speaker.told == ["started a", "started a", "drained a"]
    assert speaker.mouth.said_ms == FRAME_MS


async def test_no_sound_is_not_announced(speaker: Speaker) -> None:
    speaker.say("a", 0)
    assert await speaker.read() == [0]
    assert speaker.told == []


async def test_who_hushes_at_the_first_sample_hears_nothing() -> None:
    mouth = Mouth(on_started=lambda response_id: mouth.hush(response_id), on_drained=lambda response_id: None)
    mouth.say("a", AudioFrame(np.ones(FRAME_SAMPLES, np.int16), SAMPLE_RATE))
    assert not (await mouth.read()).samples.any()


async def test_there_is_room_until_enough_waits(speaker: Speaker) -> None:
    speaker.say("a", LOOKAHEAD_MS / FRAME_MS)
    waiting = asyncio.create_task(speaker.mouth.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    await speaker.read()
    await waiting
    speaker.say("a", 2)
    speaker.mouth.hush("a")
    await speaker.mouth.room()
