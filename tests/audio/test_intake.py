"""Blocks at any times, with any losses: what is taken is a timeline without holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE
from couchvoice.audio.intake import QUEUE_BLOCKS, STALL_TIMEOUT, Block, Intake, mixed_down

BLOCK = 480


class Card:
    """Says 1, 2, 3 … block after block."""

    def __init__(self) -> None:
        self.intake = Intake()
        assert self.intake.take(0.0) is None  # somebody listens
        self.number = 0

    def put(self, blocks: int = 1, *, lost: int = 0) -> None:
        for _ in range(blocks):
            self.number += 1 + lost
            samples = np.full((BLOCK, 1), self.number, np.int16)
            began = self.number * BLOCK / SAMPLE_RATE
            self.intake.put(Block(samples, SAMPLE_RATE, began, overflowed=lost > 0))
            lost = 0

    def said(self, now: float) -> list[int]:
        """What can be taken now: the value of each half frame."""
        values = []
        while (frame := self.intake.take(now)) is not None:
            assert frame.size == FRAME_SAMPLES
            assert frame.dtype == np.int16
            values += [int(frame[0]), int(frame[BLOCK])]
        return values


def test_channels_are_mixed_by_their_mean():
    block = np.array([[32767, 32767], [-32768, 32767], [100, 200]], dtype=np.int16)
    assert mixed_down(block).tolist() == [32767, 0, 150]


def test_what_was_said_before_anybody_listened_is_forgotten_and_not_counted():
    card = Card()
    card.intake = Intake()
    card.put(QUEUE_BLOCKS + 7)
    assert card.said(0.0) == []
    assert card.intake.lost_blocks == 0
    card.put(2)
    assert card.said(0.01) == [58, 59]


def test_what_the_card_lost_is_as_much_silence():
    card = Card()
    card.put(2)
    card.put(2, lost=4)
    assert card.said(0.1) == [1, 2, 0, 0, 0, 0, 7, 8]
    assert card.intake.lost_blocks == 1


def test_what_nobody_took_in_time_is_as_much_silence_and_counted():
    card = Card()
    card.put(QUEUE_BLOCKS + 10)
    assert card.said(0.5) == [0] * 10 + list(range(11, 61))
    assert card.intake.lost_blocks == 10


def test_a_stall_is_silent_in_real_time_and_what_comes_late_is_dropped():
    card = Card()
    card.put(3)
    assert card.said(0.03) == [1, 2]
    assert card.said(0.03 + STALL_TIMEOUT - 0.001) == []
    assert card.said(0.03 + STALL_TIMEOUT) == [3, 0]  # half a frame was there
    assert card.said(0.03 + STALL_TIMEOUT + 0.2) == [0, 0] * 10
    card.put(30)  # the 300 ms, all at once: 210 of them have been silent
    said = card.said(0.34)
    assert len(said) <= 10
    assert said[-1] in (32, 33)  # one may wait for the other half of its frame
    assert card.intake.lost_blocks == 21
    card.put(21)  # the debt is paid: the loop comes late, the card does not
    assert card.said(0.6)[-20:] == list(range(35, 55))


def test_nobody_is_paid_for_a_loop_that_stood_still_after_a_stall_was_over():
    card = Card()
    assert card.said(0.505) == [0, 0] * 21
    for moment in range(60):
        card.put(2)
        card.said(0.5 + moment * 0.02)
    card.put(20)
    assert card.said(1.9)[-20:] == list(range(121, 141))


def test_a_clock_that_jumped_is_no_reason_to_send_minutes_of_silence():
    assert len(Card().said(3600.0)) <= 2 * 101


@pytest.mark.row("B1")
@settings(max_examples=40)
@given(st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]), st.integers(1, 8), st.integers(1, 60))
def test_any_rate_and_any_channels_keep_their_duration(rate: int, channels: int, blocks: int):
    intake, size = Intake(), rate // 100
    intake.take(0.0)
    taken = 0
    for number in range(blocks):
        intake.put(Block(np.ones((size, channels), np.int16), rate, number * 0.01, overflowed=False))
        while (frame := intake.take(number * 0.01)) is not None:
            taken += frame.size
    assert 0 <= blocks * size * SAMPLE_RATE / rate - taken < FRAME_SAMPLES + SAMPLE_RATE * 0.002


@pytest.mark.row("B1")
def test_in_ten_minutes_no_sample_is_dropped_or_heard_twice():
    intake = Intake()
    intake.take(0.0)
    sequence = np.arange(2 * BLOCK * 30_000, dtype=np.int64).astype(np.int16)  # wraps, and never twice within a second
    expected = 0
    for number in range(60_000):
        block = sequence[number * BLOCK : (number + 1) * BLOCK, np.newaxis]
        intake.put(Block(block, SAMPLE_RATE, number * 0.01, overflowed=False))
        if number % 7 == 0:  # a loop that comes when it can
            while (frame := intake.take(number * 0.01)) is not None:
                assert np.array_equal(frame, sequence[expected : expected + FRAME_SAMPLES])
                expected += FRAME_SAMPLES
    assert expected > 0.999 * sequence.size
    assert intake.lost_blocks == 0


class Life:
    """A card that gives blocks, loses them, stands still; a loop that comes or does not."""

    def __init__(self) -> None:
        self.card = Card()
        self.now = 0.0
        self.taken: list[NDArray[np.int16]] = []

    def listen(self) -> None:
        while (frame := self.card.intake.take(self.now)) is not None:
            self.taken.append(frame)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["talk", "lose", "stand still", "nobody comes"]), st.integers(1, 30))))
def test_whatever_happens_the_timeline_is_whole_and_nothing_is_heard_twice(happenings: list[tuple[str, int]]):
    life = Life()
    for happening, blocks in happenings:
        for number in range(blocks):
            life.now += 0.01
            if happening != "stand still":
                life.card.put(lost=1 if happening == "lose" and not number else 0)
            if happening != "nobody comes":
                life.listen()
        if happening == "lose":
            life.now += 0.01
    life.listen()
    sound = np.concatenate([np.zeros(0, np.int16), *life.taken])
    heard = sound[sound != 0]
    assert (np.diff(heard.astype(int)) >= 0).all(), "in order"
    assert all((heard == value).sum() <= BLOCK for value in np.unique(heard)), "nothing twice"
    assert sound.size / SAMPLE_RATE <= life.now + 0.1 + 0.02, "no delay is added"
    # A card that stands still for less than the timeout, and gives none of it afterwards, has made time shorter.
    unseen = (len(happenings) + 1) * STALL_TIMEOUT
    assert life.now - sound.size / SAMPLE_RATE <= unseen + 0.06, "no hole is left"
