from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.playout import QUIET_MS, PlayoutBuffer
from couchvoice.audio.push_buffer import FADE_MS, LIMIT_MS, MAX_CONCEALED_MS

FADE = FADE_MS * SAMPLE_RATE // 1000
LOUD = 10_000

frame_sizes = st.integers(1, FRAME_SAMPLES)
operations = st.one_of(
    st.tuples(st.just("push"), frame_sizes),
    st.tuples(st.just("pull"), frame_sizes),
    st.tuples(st.just("conceal"), st.integers(0, 60)),
    st.tuples(st.just("flush"), st.just(0)),
)


class Counting:
    """Pushes samples that say their number, so that order, loss and doubling show in what is heard."""

    def __init__(self, playout: PlayoutBuffer) -> None:
        self.playout = playout
        self.pushed = 0

    def push(self, count: int) -> None:
        numbers = np.arange(self.pushed, self.pushed + count) % 32_000 + 1
        self.pushed += count
        self.playout.push(AudioFrame(numbers.astype(np.int16), SAMPLE_RATE))


def loud(ms: int = 20) -> AudioFrame:
    return AudioFrame(np.full(ms * 48, LOUD, dtype=np.int16), SAMPLE_RATE)


def quiet(ms: int = 20) -> AudioFrame:
    return AudioFrame(np.zeros(ms * 48, dtype=np.int16), SAMPLE_RATE)


def heard(samples: NDArray[np.int16]) -> list[int]:
    return [int(sample) for sample in samples if sample]


def pull_ms(playout: PlayoutBuffer, ms: int) -> NDArray[np.int16]:
    return np.concatenate([playout.pull(480) for _ in range(ms // 10)])


@given(
    st.lists(st.one_of(st.tuples(st.just("push"), frame_sizes), st.tuples(st.just("pull"), frame_sizes)), max_size=30)
)
def test_everything_pushed_is_heard_once_and_in_order(steps):
    playout = PlayoutBuffer()
    far_end = Counting(playout)
    out = []
    for step, count in steps:
        if step == "push":
            far_end.push(count)
        else:
            out.append(playout.pull(count))
            assert out[-1].size == count
    out.extend(playout.pull(FRAME_SAMPLES) for _ in range(40))
    assert heard(np.concatenate(out)) == list(range(1, far_end.pushed + 1))
    assert playout.buffered_ms == 0


@given(st.lists(operations, max_size=40), st.lists(frame_sizes, max_size=4))
def test_after_a_flush_nothing_old_is_heard_but_a_short_fade(before, after):
    playout = PlayoutBuffer()
    far_end = Counting(playout)
    for step, count in before:
        match step:
            case "push":
                far_end.push(count)
            case "pull":
                playout.pull(count)
            case "conceal":
                playout.conceal(count)
            case _:
                playout.flush()
    playout.flush()
    assert playout.buffered_ms == 0
    new = far_end.pushed
    for count in after:
        far_end.push(count)
    fading = playout.pull(FRAME_SAMPLES)
    assert not fading[FADE:].any()
    assert heard(np.concatenate([playout.pull(480) for _ in range(30)])) == list(range(new + 1, far_end.pushed + 1))


@given(st.lists(operations, max_size=60))
def test_every_sample_is_accounted_for(steps):
    playout = PlayoutBuffer()
    pushed = voided = 0.0
    for step, count in steps:
        match step:
            case "push":
                playout.push(AudioFrame(np.ones(count * 48, dtype=np.int16), SAMPLE_RATE))
                pushed += count
            case "pull":
                playout.pull(count * 48)
            case "flush":
                voided += playout.buffered_ms
                playout.flush()
            case _:
                pass
        counters = playout.counters
        assert playout.buffered_ms <= LIMIT_MS
        assert counters.played_ms + counters.dropped_ms + voided + playout.buffered_ms == pushed


def test_playback_starts_when_the_target_is_buffered_and_then_has_no_gap():
    playout = PlayoutBuffer()
    out = []
    for _ in range(50):
        playout.push(loud())
        out.append(playout.pull(FRAME_SAMPLES))
    assert not out[0].any()
    assert all((block == LOUD).all() for block in out[1:])
    assert playout.counters.underruns == 0
    assert playout.buffered_ms == 20


def test_a_short_tail_is_not_held_back_for_ever():
    playout = PlayoutBuffer()
    playout.push(loud(5))
    assert heard(pull_ms(playout, 60)) == [LOUD] * 240


def test_beyond_two_seconds_the_oldest_is_dropped_and_counted():
    playout = PlayoutBuffer()
    far_end = Counting(playout)
    for _ in range(130):
        far_end.push(FRAME_SAMPLES)
    assert playout.buffered_ms == LIMIT_MS
    assert playout.counters.dropped_ms == 600
    first = int(playout.pull(FRAME_SAMPLES)[0])
    assert first == 30 * FRAME_SAMPLES % 32_000 + 1


def test_a_frame_longer_than_the_buffer_keeps_its_end():
    playout = PlayoutBuffer()
    far_end = Counting(playout)
    far_end.push(5 * SAMPLE_RATE)
    assert (playout.buffered_ms, playout.counters.dropped_ms) == (LIMIT_MS, 3000)
    assert int(playout.pull(10)[0]) == 3 * SAMPLE_RATE % 32_000 + 1


def test_a_consumer_that_never_pulls_costs_no_memory():
    playout = PlayoutBuffer()
    for _ in range(2_000):
        playout.push(loud())
    assert playout.buffered_ms == LIMIT_MS


def test_at_a_flush_the_sound_fades_within_five_milliseconds():
    playout = PlayoutBuffer()
    for _ in range(10):
        playout.push(loud())
    pull_ms(playout, 40)
    playout.flush()
    block = playout.pull(480)
    assert block[0] == LOUD
    assert (np.diff(block[:FADE].astype(int)) <= 0).all()
    assert not block[FADE:].any()
    assert not pull_ms(playout, 500).any()
    assert (playout.counters.flushes, playout.counters.underruns) == (1, 0)


def test_the_fade_at_a_flush_does_not_run_into_what_comes_after_it():
    playout = PlayoutBuffer()
    playout.push(loud(40))
    playout.pull(40 * 48 - 10)
    playout.flush()
    playout.push(loud(100))
    block = playout.pull(480)
    assert block[9] > 0
    assert not block[10:].any()


def test_a_flush_of_an_empty_buffer_is_harmless():
    playout = PlayoutBuffer()
    playout.flush()
    playout.push(loud(40))
    playout.pull(480)
    assert (playout.pull(480) == LOUD).all()


def test_running_dry_in_the_middle_of_sound_is_an_underrun():
    playout = PlayoutBuffer()
    playout.push(loud(50))
    pull_ms(playout, 100)
    assert playout.counters.underruns == 1


def test_running_dry_exactly_at_the_end_of_a_block_is_an_underrun_too():
    playout = PlayoutBuffer()
    playout.push(loud(40))
    pull_ms(playout, 100)
    assert playout.counters.underruns == 1


def test_a_far_end_that_falls_silent_and_stops_sending_is_no_underrun():
    playout = PlayoutBuffer()
    playout.push(loud(40))
    playout.push(quiet(40))
    pull_ms(playout, 500)
    assert playout.counters.underruns == 0


def test_a_gap_is_filled_so_that_what_follows_stays_in_its_place():
    playout = PlayoutBuffer()
    playout.push(loud(40))
    playout.conceal(100)
    playout.push(loud(40))
    out = pull_ms(playout, 180)
    assert (out[140 * 48 : 180 * 48] == LOUD).all()
    assert heard(out[40 * 48 : 140 * 48]) == []
    assert playout.counters.concealed_ms == 100


def test_a_gap_that_a_dry_buffer_has_already_played_adds_no_delay():
    playout = PlayoutBuffer()
    playout.push(loud(40))
    pull_ms(playout, 100)
    playout.conceal(100)
    assert playout.buffered_ms == pytest.approx(40)
    assert playout.counters.concealed_ms == 100


def test_a_gap_has_a_bound():
    playout = PlayoutBuffer()
    playout.conceal(3_600_000)
    assert playout.buffered_ms == playout.counters.concealed_ms == MAX_CONCEALED_MS


def test_activity_is_told_once_at_the_first_sound_and_once_after_the_quiet_time():
    told: list[bool] = []
    playout = PlayoutBuffer(on_activity=told.append)
    for _ in range(5):
        playout.push(quiet())
    pull_ms(playout, 100)
    assert told == []
    playout.push(loud(100))
    pull_ms(playout, 100)
    assert told == [True]
    pull_ms(playout, QUIET_MS - 10)
    assert told == [True]
    pull_ms(playout, 2_000)
    assert told == [True, False]


def test_a_frame_of_another_rate_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="24000"):
        PlayoutBuffer().push(AudioFrame(np.zeros(480, dtype=np.int16), 24_000))


def test_two_threads_lose_and_double_nothing():
    playout = PlayoutBuffer()
    far_end = Counting(playout)
    total = 2_000 * 480
    room = threading.Semaphore(100)

    def produce() -> None:
        while far_end.pushed < total:
            room.acquire()
            far_end.push(480)

    producer = threading.Thread(target=produce)
    producer.start()
    out: list[NDArray[np.int16]] = []
    before = 0
    while playout.counters.played_ms < total // 48:
        out.append(playout.pull(96))
        for _ in range(playout.counters.played_ms // 10 - before):
            before += 1
            room.release()
    producer.join()
    sound = np.concatenate(out)
    assert np.array_equal(sound[sound != 0], (np.arange(total) % 32_000 + 1).astype(np.int16))
