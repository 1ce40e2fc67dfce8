from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from couchvoice.audio.packet_buffer import LIMIT_MS, MediaPacket, PacketBuffer, StreamCounts, Unwrapper
from tests.audio.streams import numbered


@given(st.integers(0, 2**16 - 1), st.lists(st.integers(-(2**15) + 1, 2**15 - 1), max_size=50))
def test_a_counter_that_wraps_goes_on(first, steps):
    unwrapper = Unwrapper(16)
    newest = unwrapper.unwrap(first)
    for step in steps:
        assert unwrapper.unwrap((newest + step) % 2**16) == newest + step
        newest = max(newest, newest + step)


@given(st.permutations(range(12)))
def test_any_order_is_the_right_order_afterwards(order):
    counts = StreamCounts()
    buffer = PacketBuffer(counts)
    for number in order:
        for copy in range(2):
            timed = buffer.timed(numbered(number))
            assert timed is not None
            assert buffer.put(timed) is (copy == 0)
    taken = [buffer.pop().sequence for _ in order]
    assert taken == sorted(set(taken))
    assert counts.duplicate == len(order)
    assert buffer.first is None


def test_what_was_handed_out_is_late():
    counts = StreamCounts()
    buffer = PacketBuffer(counts)
    packets = [buffer.timed(numbered(number)) for number in (1, 0)]
    assert packets[0] is not None
    assert packets[1] is not None
    assert buffer.put(packets[0])
    buffer.pop()
    assert not buffer.put(packets[1])
    assert counts.late == 1


def test_more_than_two_seconds_do_not_wait():
    counts = StreamCounts()
    buffer = PacketBuffer(counts)
    for number in range(200):
        timed = buffer.timed(numbered(number))
        assert timed is not None
        buffer.put(timed)
    assert buffer.first is not None
    assert buffer.end is not None
    assert buffer.end - buffer.first.start == LIMIT_MS * 48
    assert counts.dropped == 200 * 960 - LIMIT_MS * 48


def test_what_is_no_opus_has_no_place_in_time():
    counts = StreamCounts()
    assert PacketBuffer(counts).timed(MediaPacket(1, 1, 1, b"")) is None
    assert counts.invalid == 1
