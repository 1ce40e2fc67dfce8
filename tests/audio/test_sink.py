from __future__ import annotations

import asyncio

import pytest

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.sink import NullSink
from couchvoice.scenario.media_clock import run as run_skipping
from tests.audio.tones import pcm16, tone


def test_a_talk_that_nobody_listens_to_plays_in_real_time_until_it_is_closed():
    async def main() -> list[float]:
        playout, sink = PlayoutBuffer(), NullSink()
        await sink.open(playout)
        playout.push(AudioFrame(pcm16(tone(1.0)), SAMPLE_RATE))
        left = []
        for _ in range(2):
            await asyncio.sleep(0.25)
            left.append(playout.buffered_ms)
        await sink.close()
        await sink.close()
        await asyncio.sleep(0.25)
        return [*left, playout.buffered_ms]

    assert run_skipping(main()) == pytest.approx([750, 500, 500], abs=21)


async def test_a_sink_that_was_never_opened_closes_in_peace():
    await NullSink().close()
