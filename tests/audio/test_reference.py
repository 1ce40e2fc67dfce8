"""The reference of the echo: one sample for one captured sample, whatever the two sides' threads do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, silence
from couchvoice.audio.reference import HOLD_MS, Audibility, Reference

BLOCK = FRAME_SAMPLES // 2
LOUD = np.full(BLOCK, 5000, dtype=np.int16)


def counted(start: int, size: int = BLOCK) -> np.ndarray:
    return np.arange(start, start + size, dtype=np.int16)


def test_what_was_played_comes_out_once_and_in_order():
    reference = Reference()
    reference.played(counted(0))
    reference.played(counted(BLOCK))
    assert reference.take(FRAME_SAMPLES).tolist() == list(range(FRAME_SAMPLES))
    assert reference.take(FRAME_SAMPLES).size == 0


def test_a_loop_that_was_busy_finds_each_frame_beside_its_own_reference():
    reference = Reference()
    for number in range(10):
        reference.played(counted(number * BLOCK))
    assert [reference.take(FRAME_SAMPLES)[0] for _ in range(5)] == [number * FRAME_SAMPLES for number in range(5)]


def test_reference_that_comes_late_is_handed_out_with_the_next():
    reference = Reference()
    assert reference.take(FRAME_SAMPLES).size == 0
    for number in range(4):
        reference.played(counted(number * BLOCK))
    assert reference.take(FRAME_SAMPLES).size == 2 * FRAME_SAMPLES


def test_what_a_card_did_not_play_for_long_is_not_waited_for():
    reference = Reference()
    for _ in range(1000):
        reference.take(FRAME_SAMPLES)
    for _ in range(200):
        reference.played(counted(0))
    assert reference.take(FRAME_SAMPLES).size <= FRAME_SAMPLES + SAMPLE_RATE // 5


def test_a_loudspeaker_whose_clock_is_fast_does_not_run_ahead_for_ever():
    reference, ahead = Reference(), 0
    for number in range(3000):  # a minute, 1000 ppm
        reference.played(silence(FRAME_SAMPLES + number % 2))
        ahead += FRAME_SAMPLES + number % 2 - reference.take(FRAME_SAMPLES).size
        assert ahead <= 50


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 2000)), max_size=60))
def test_whatever_the_order_nothing_is_made_up_and_nothing_changes_places(steps: list[tuple[int, int]]):
    reference, played, taken = Reference(), silence(0), silence(0)
    for size, captured in steps:
        block = counted(played.size, size)
        played = np.concatenate([played, block])
        reference.played(block)
        taken = np.concatenate([taken, reference.take(captured)])
    assert (taken == played[: taken.size]).all()


def test_the_loudspeaker_counts_as_audible_until_its_echo_has_died_away():
    audibility = Audibility()
    assert not audibility.hear(silence(BLOCK), FRAME_SAMPLES)
    assert audibility.hear(LOUD, FRAME_SAMPLES)
    held = sum(audibility.hear(silence(0), FRAME_SAMPLES) for _ in range(100))
    assert (held + 1) * 20 == HOLD_MS
