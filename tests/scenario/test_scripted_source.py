"""The user's sound as a script has it: paced, whole, in order."""

from __future__ import annotations

import asyncio

import numpy as np

from couchvoice.audio.frames import FRAME_SAMPLES
from couchvoice.scenario import media_clock
from couchvoice.scenario.scripted_source import ScriptedSource


def test_what_is_said_leaves_whole_between_silence_and_takes_its_time() -> None:
    async def held() -> tuple[np.ndarray, float]:
        source = ScriptedSource()
        frames = [await source.read()]
        said = np.arange(1, 2 * FRAME_SAMPLES + 100, dtype=np.int16)
        loop = asyncio.get_running_loop()
        saying = asyncio.create_task(source.say(said), name="say")
        began = loop.time()
        await asyncio.sleep(0)
        while not saying.done():
            frames.append(await source.read())
            await asyncio.sleep(0)
        took = loop.time() - began
        frames.append(await source.read())
        await source.close()
        heard = np.concatenate([frame.samples for frame in frames])
        assert np.array_equal(heard[np.flatnonzero(heard)], said)
        return heard, took

    heard, took = media_clock.run(held())
    assert heard.size == 5 * FRAME_SAMPLES
    assert not heard[:FRAME_SAMPLES].any()
    assert not heard[-FRAME_SAMPLES:].any()
    assert 0.055 < took < 0.065  # three frames


async def test_who_speaks_when_the_talk_ends_or_is_over_is_not_kept_waiting() -> None:
    source = ScriptedSource()
    await source.say(np.empty(0, dtype=np.int16))
    saying = asyncio.create_task(source.say(np.ones(48_000, dtype=np.int16)), name="say")
    await asyncio.sleep(0)
    await source.close()
    await saying
    await source.say(np.ones(48_000, dtype=np.int16))
