"""What the figures of ``server`` rest on: where the sound is, and when it came."""

from __future__ import annotations

import httpx

from tests.bench import utterance
from tests.bench.caller import Arrival, Caller
from tests.bench.served import bare
from tests.patience import until

RTP_OVERHEAD = 36  # bytes: headers, extensions and authentication tag
WAIT = 15.0  # seconds


def test_the_question_ends_with_its_last_frame_and_silence_follows() -> None:
    frames = utterance.question(utterance.RATE)
    assert len(frames) == utterance.PERIOD * utterance.FRAMES_PER_SECOND
    assert frames[utterance.FRAMES - 1].any()
    assert not any(frame.any() for frame in frames[utterance.FRAMES :])


def test_a_packet_of_silence_is_told_from_one_of_sound_by_its_size() -> None:
    question = utterance.packets(utterance.question(utterance.RATE))
    silence = utterance.packets(utterance.silence())
    assert max(len(packet) for packet in silence) + RTP_OVERHEAD < utterance.SOUND
    assert min(len(packet) for packet in question[1 : utterance.FRAMES]) > utterance.SOUND


async def test_lateness_is_counted_from_the_packet_that_came_soonest() -> None:
    caller = Caller([b""])
    caller.arrivals = [Arrival(10.0, 0, 50), Arrival(10.1, 960, 50), Arrival(10.04, 1920, 50)]
    assert [round(late, 3) for late in caller.late_since(10.01)] == [0.08, 0.0]
    await caller.close()


async def test_the_echo_of_a_question_comes_back_on_a_timeline_without_gaps() -> None:
    caller = Caller(utterance.packets(utterance.question(utterance.RATE)))
    async with bare() as end, httpx.AsyncClient() as http:
        await caller.connect(http, end.echo)
        await until(lambda: any(arrival.size > utterance.SOUND for arrival in caller.arrivals), within=WAIT)
        await caller.close()
    step = utterance.RATE // utterance.FRAMES_PER_SECOND
    stamps = [arrival.timestamp for arrival in caller.arrivals]
    assert stamps == list(range(0, len(stamps) * step, step))
