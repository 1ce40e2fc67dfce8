"""How long the assistant is heard after somebody spoke over it, from the news to the card's last audible sample."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, is_audible
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.push_buffer import FADE_MS
from couchvoice.client.barge_in import SILENCE_TIMEOUT, BargeInClock
from couchvoice.core.notices import Interrupted
from tests.client.stage import talking
from tests.patience import until

BLOCK = 480


def test_the_figure_comes_with_the_silence():
    told: list[Interrupted] = []

    async def interrupted() -> None:
        now = asyncio.get_running_loop().time()
        clock = BargeInClock(told.append)
        clock.begin(Interrupted(response_id="r1"), now)
        clock.silenced(now + 0.0123)
        clock.silenced(now + 5)
        clock.give_up()

    asyncio.run(interrupted())
    assert told == [Interrupted(stop_ms=12.3, response_id="r1")]


def test_a_card_that_stands_still_has_no_figure():
    told: list[Interrupted] = []

    async def interrupted() -> None:
        loop = asyncio.get_running_loop()
        clock = BargeInClock(told.append)
        # As if it had happened long ago: nobody waits here for real.
        clock.begin(Interrupted(response_id="r1"), loop.time() - SILENCE_TIMEOUT)
        await until(lambda: told)
        clock.silenced(loop.time())

    asyncio.run(interrupted())
    assert told == [Interrupted(stop_ms=None, response_id="r1")]


@pytest.mark.row("B11", "P5")
def test_the_card_tells_where_in_its_block_the_sound_ended():
    silenced: list[int] = []
    played: list[NDArray[np.int16]] = []
    playout = PlayoutBuffer(on_silenced=silenced.append, on_played=played.append)
    for _ in range(10):
        playout.push(AudioFrame(np.full(FRAME_SAMPLES, 8000, dtype=np.int16), SAMPLE_RATE))
    playout.pull(BLOCK)
    assert is_audible(playout.pull(BLOCK))
    playout.flush()
    faded = playout.pull(BLOCK)
    assert silenced[0] <= FADE_MS * 48
    assert is_audible(faded[: silenced[0]])
    assert not is_audible(faded[silenced[0] :])
    assert not playout.pull(BLOCK).any()
    assert len(silenced) == 1
    assert np.array_equal(played[2], faded)


@pytest.mark.row("B11", "P5", "E5")
async def test_somebody_who_speaks_over_an_answer_has_silence_within_a_block():
    """Over WebRTC: nothing is sent, the far end truncates by itself; its sound stops here at once."""
    async with talking() as stage:
        stage.ask()
        stage.begin_answer()
        stage.peer.send("output_audio_buffer.started", response_id="resp_1")
        await until(lambda: stage.session.playout is not None and stage.session.playout.played_ms > 200)
        sent = len(stage.peer.messages)
        stage.peer.send("input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=900)
        await stage.told(Interrupted)
        (interruption,) = stage.of(Interrupted)
        assert len(stage.peer.messages) == sent
    assert interruption.stop_ms is not None
    # A block of the sink without a card is 20 ms; what a busy machine adds is not ours.
    assert interruption.stop_ms < 200
