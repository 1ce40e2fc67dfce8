"""Packets read in order and at once. The time without packets is the loop's; no test waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.audio.frames import FRAME_SAMPLES
from couchvoice.audio.opus import OpusEncoder
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.transports import packet_reader
from couchvoice.transports.packet_reader import LONGEST_WAIT, OVERDUE, RESTART, PacketReader
from tests.audio.streams import NumberedDecoder, level, numbered
from tests.audio.test_opus import voice


class Clock:
    """Stands in for the loop's timers: one at a time, rung by the test."""

    def __init__(self) -> None:
        self.due: tuple[float, Callable[[], None]] | None = None

    def call_later(self, seconds: float, ring: Callable[[], None]) -> Clock:
        self.due = (seconds, ring)
        return self

    def cancel(self) -> None:
        self.due = None

    def ring(self) -> float:
        assert self.due is not None
        seconds, ring = self.due
        self.due = None
        ring()
        return seconds


class Reading:
    """``told``: the numbers of the packets that were heard, None for guesses, and gaps in ms as floats."""

    def __init__(self) -> None:
        self.told: list[int | float | None] = []
        self.samples = 0
        self.reader = PacketReader(self._hear, lambda ms: self.told.append(float(ms)))

    def put(self, packets: Iterable[MediaPacket]) -> None:
        for packet in packets:
            self.reader.put(packet)

    def _hear(self, frame: Any) -> None:
        self.samples += frame.samples.size
        heard = int(frame.samples[0])
        self.told.append(next((n for n in range(5200) if level(n) == heard), None) if heard else None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


@pytest.fixture
def reading(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Reading:
    monkeypatch.setattr(NumberedDecoder, "decoded", [], raising=False)
    monkeypatch.setattr(packet_reader, "OpusDecoder", NumberedDecoder)
    return Reading()


def test_what_comes_in_order_is_heard_at_once(reading):
    for number in range(10):
        reading.put([numbered(number)])
        assert reading.told[-1] == number


def test_what_is_out_of_order_is_waited_for(reading):
    reading.put(numbered(n) for n in (0, 1, 3, 2, 4, 6, 7, 5, 7))
    assert reading.told == list(range(8))


def test_what_is_lost_is_made_up_when_enough_has_come_after_it(reading):
    reading.put(numbered(n) for n in (0, 1, 3, 4))
    assert reading.told == [0, 1]
    reading.put([numbered(5)])
    assert reading.told == [0, 1, None, 3, 4, 5]


def test_what_comes_after_all_is_not_heard_twice(reading):
    reading.put(numbered(n) for n in (0, 2, 3, 4, 1, 5))
    assert reading.told == [0, None, 2, 3, 4, 5]


def test_the_last_packets_before_a_pause_do_not_wait_for_ever(reading, clock):
    reading.put(numbered(n) for n in (0, 1, 3))
    assert clock.ring() == OVERDUE
    assert reading.told == [0, 1, None, 3]


def test_a_far_end_that_sends_nothing_is_silent(reading, clock):
    reading.put([numbered(0)])
    assert clock.ring() == LONGEST_WAIT
    clock.ring()
    # 1.2 s after its last packet it speaks again.
    reading.put([numbered(1, skipped=60)])
    assert reading.told == [0, 500.0, 500.0, 200.0, 1]
    reading.reader.close()
    assert clock.due is None


def test_a_long_loss_is_named_and_not_guessed_at(reading):
    reading.put(numbered(n) for n in (0, 50, 51, 52))
    assert reading.told == [0, 980.0, 50, 51, 52]


def test_numbers_that_begin_anew_are_heard_again(reading):
    reading.put(numbered(n) for n in range(5000, 5010))
    reading.put(numbered(n) for n in range(RESTART + 5))
    assert reading.told[-5:] == [RESTART, RESTART + 1, RESTART + 2, RESTART + 3, RESTART + 4]


def test_another_stream_begins_anew(reading):
    reading.put([numbered(0), numbered(700, ssrc=9), numbered(701, ssrc=9)])
    assert reading.told == [0, 700, 701]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=60))
@settings(deadline=None, max_examples=60)
def test_whatever_happens_each_packet_is_heard_once_in_order_and_time_adds_up(network):
    arrivals = sorted((number + delay, number) for number, (delay, lost) in enumerate(network) if not lost)
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(asyncio, "get_running_loop", lambda: clock)
        patch.setattr(NumberedDecoder, "decoded", [], raising=False)
        patch.setattr(packet_reader, "OpusDecoder", NumberedDecoder)
        reading = Reading()
        reading.put(numbered(number) for _, number in arrivals)
        if clock.due is not None and clock.due[0] == OVERDUE:
            clock.ring()
    heard = [told for told in reading.told if isinstance(told, int)]
    assert heard == sorted(set(heard))
    if heard:
        missed = sum(told for told in reading.told if isinstance(told, float))
        assert reading.samples + missed * 48 == (heard[-1] - heard[0] + 1) * FRAME_SAMPLES


def test_in_band_fec_fills_a_hole_with_what_was_said(clock):
    encoder = OpusEncoder(bitrate=32_000, complexity=5)
    encoder.expect_loss(20)
    sound = voice()
    packets = [
        MediaPacket(1, number, number * FRAME_SAMPLES, encoder.encode(sound[start : start + FRAME_SAMPLES]))
        for number, start in enumerate(range(0, sound.size, FRAME_SAMPLES))
    ]
    heard: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for whole, frames in heard.items():
        reader = PacketReader(lambda frame, frames=frames: frames.append(frame.samples), lambda ms: None)
        for number, packet in enumerate(packets):
            if whole or number % 10 != 5:
                reader.put(packet)
        reader.close()
    whole, holed = (np.concatenate(frames).astype(float) for frames in heard.values())
    assert holed.size == whole.size
    assert np.corrcoef(whole, holed)[0, 1] > 0.9
