"""The receive buffer on a virtual clock: any network, one unbroken stream of sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.audio import stream_player
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, is_audible
from couchvoice.audio.opus import OpusEncoder
from couchvoice.audio.packet_buffer import LIMIT_MS, MediaPacket
from couchvoice.audio.receive import FADE_MS, MAX_INBOX, ReceiveBuffer
from tests.audio.streams import BLOCK, Arrival, Listener, NumberedDecoder, level, numbered, on_time
from tests.audio.test_opus import voice

FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
BLOCK_S = BLOCK / SAMPLE_RATE


@pytest.fixture(autouse=True)
def decoded(request, monkeypatch) -> list[int]:
    """The numbers of the packets in the order in which they were decoded."""
    numbers: list[int] = []
    if "real_opus" not in request.keywords:
        monkeypatch.setattr(NumberedDecoder, "decoded", numbers, raising=False)
        monkeypatch.setattr(stream_player, "OpusDecoder", NumberedDecoder)
    return numbers


def real_packets(*, loss: int = 0, sound=None) -> list[MediaPacket]:
    encoder = OpusEncoder(bitrate=32_000, complexity=5)
    encoder.expect_loss(loss)
    sound = np.tile(voice(), 5) if sound is None else sound
    return [
        MediaPacket(
            7, number % 2**16, number * FRAME_SAMPLES % 2**32, encoder.encode(sound[start : start + FRAME_SAMPLES])
        )
        for number, start in enumerate(range(0, sound.size, FRAME_SAMPLES))
    ]


networks = st.lists(
    st.tuples(
        st.sampled_from(["arrives", "arrives", "arrives", "arrives", "lost", "twice"]),
        st.one_of(st.just(0.0), st.floats(0, 0.3)),
    ),
    min_size=1,
    max_size=120,
)


@pytest.mark.row("B15")
@given(network=networks, block=st.sampled_from([160, 480, 960, 4096]))
@settings(deadline=None, max_examples=60)
def test_whatever_the_network_does_each_packet_is_played_once_in_order_or_never(network, block):
    numbers = NumberedDecoder.decoded
    numbers.clear()
    arrivals = []
    for number, (fate, delay) in enumerate(network):
        copies = {"arrives": 1, "lost": 0, "twice": 2}[fate]
        arrivals += [Arrival(number * FRAME_S + delay * (copy + 1), numbered(number)) for copy in range(copies)]
    listener = Listener(block=block)
    heard = listener.listen(arrivals, until=len(network) * FRAME_S + 1)
    assert numbers == sorted(set(numbers))
    counters = listener.buffer.counters
    arrived = {arrival.packet.sequence for arrival in arrivals}
    assert len(numbers) + counters.late_packets >= len(arrived) - (counters.dropped_ms > 0) * len(arrived) - len(
        numbers[:0]
    )
    loudest = {level(number) for number in numbers} | {0}
    assert int(heard.max()) <= max(loudest)
    assert counters.delay_ms <= LIMIT_MS


def test_a_clean_network_costs_little_time_and_no_sound(decoded):
    listener = Listener()
    heard = listener.listen(on_time([numbered(n) for n in range(200)]), until=4.0)
    counters = listener.buffer.counters
    assert (counters.concealed_ms, counters.lost_packets, counters.late_packets, counters.underruns) == (0, 0, 0, 0)
    assert decoded[:195] == list(range(195))
    # When the delay has settled, a packet is heard this long after it came.
    number = 150
    begins = int(np.argmax(heard == level(number))) / SAMPLE_RATE
    assert begins - number * FRAME_S <= 0.04


@pytest.mark.parametrize("lost", [{60}, {60, 61}, {60, 75, 90, 91, 92}])
def test_a_lost_packet_costs_its_own_sound_and_no_other(lost, decoded):
    listener = Listener()
    listener.listen([a for n, a in enumerate(on_time(map(numbered, range(150)))) if n not in lost], until=3.0)
    assert decoded == [n for n in range(150) if n not in lost]
    assert listener.buffer.counters.lost_packets == len(lost)
    assert listener.buffer.counters.concealed_ms <= 20 * len(lost) + 10


def test_what_is_only_late_is_heard_and_the_delay_comes_back(decoded):
    """300 ms of nothing, then everything at once."""
    listener = Listener()
    arrivals = [Arrival(max(a.at, 2.3) if a.at >= 2.0 else a.at, a.packet) for a in on_time(map(numbered, range(500)))]
    heard = listener.listen(arrivals, until=10.0)
    assert decoded == list(range(500))
    number = 370  # said 7.4 s after the beginning, 5.1 s after the burst
    assert int(np.argmax(heard == level(number))) / SAMPLE_RATE - number * FRAME_S <= 0.05


@pytest.mark.row("B2")
@pytest.mark.parametrize("stall", [2.5, 7.0])
def test_a_card_that_stood_still_plays_what_is_new_and_makes_nothing_up(stall, decoded):
    """Seen with a sound server on a busy machine: two seconds of delay, and every other frame a guess."""
    arrivals = on_time(map(numbered, range(1000)))
    listener = Listener()
    listener.listen([arrival for arrival in arrivals if arrival.at < 2.0], until=2.0)
    before = listener.buffer.counters
    listener.now += stall
    heard = listener.listen([arrival for arrival in arrivals if arrival.at >= 2.0], until=19.0)
    counters = listener.buffer.counters
    assert (counters.lost_packets, counters.concealed_ms) == (before.lost_packets, before.concealed_ms)
    assert decoded == sorted(set(decoded))
    assert 0 < counters.dropped_ms <= stall * 1000
    number = 800  # said 16 s after the beginning: long after
    assert int(np.argmax(heard == level(number))) / SAMPLE_RATE + 2.0 + stall - number * FRAME_S <= 0.06


def test_an_order_that_is_not_kept_is_restored(decoded):
    packets = [numbered(n) for n in range(200)]
    arrivals = [Arrival((n + (2.5 if n % 10 == 3 else 0)) * FRAME_S, packet) for n, packet in enumerate(packets)]
    Listener().listen(arrivals, until=4.5)
    assert decoded == sorted(decoded)
    # The first ones teach it how long to wait.
    assert set(range(50, 200)) <= set(decoded)


@pytest.mark.parametrize("ppm", [-2000, 2000])
@pytest.mark.parametrize("block", [480, 2880])
def test_two_crystals_never_agree_and_nobody_hears_it(ppm, block, decoded):
    """A tenth of an hour at ten times the drift of real cards: the same number of corrections as in an hour."""
    listener = Listener(block=block, rate=1 + ppm / 1e6)
    count = 6000
    listener.listen(on_time(map(numbered, range(count))), until=count * FRAME_S)
    counters = listener.buffer.counters
    assert decoded[:5900] == list(range(5900))
    assert (counters.underruns, counters.concealed_ms, counters.dropped_ms) == (0, 0, 0)
    assert counters.stretched_ms >= count * 20 * abs(ppm) / 1e6 / 2


@pytest.mark.row("B2")
def test_five_minutes_of_speech_on_a_restless_network_have_no_hole(decoded):
    """Every packet is played, none is guessed at, and the card never finds nothing once the first second has passed."""
    rng = np.random.default_rng(5)
    packets = [numbered(number) for number in range(15_000)]
    arrivals = [Arrival(arrival.at + rng.uniform(0, 0.015), arrival.packet) for arrival in on_time(packets)]
    listener = Listener()
    listener.listen(arrivals, until=1.0)
    settled = listener.buffer.counters
    listener.listen([arrival for arrival in arrivals if arrival.at > 1.0 - BLOCK_S], until=299.9)
    counters = listener.buffer.counters
    assert (counters.underruns, counters.concealed_ms) == (settled.underruns, settled.concealed_ms)
    assert (counters.lost_packets, counters.late_packets, counters.dropped_ms) == (0, 0, 0)
    assert decoded == sorted(set(decoded))
    assert len(decoded) > 14_980


def test_a_far_end_that_sends_nothing_in_a_pause_loses_nothing(decoded):
    """DTX: the numbers go on, the time jumps."""
    quiet = MediaPacket(7, (0xFFF0 + 100) % 2**16, (2**32 - 5 * 960 + 100 * 960) % 2**32, b"\xf8")
    before = on_time([*map(numbered, range(100)), quiet])
    after = on_time([numbered(n, skipped=49) for n in range(101, 200)], first=150 * FRAME_S)
    listener = Listener()
    heard = listener.listen(before + after, until=4.9)
    counters = listener.buffer.counters
    assert counters.concealed_ms <= 30
    assert counters.lost_packets == 0
    assert int(np.argmax(heard == level(120))) / SAMPLE_RATE - 169 * FRAME_S <= 0.05


def test_another_stream_begins_anew(decoded):
    first = on_time(map(numbered, range(50)))
    second = on_time([numbered(n, ssrc=8) for n in range(3000, 3050)], first=1.0)
    Listener().listen(first + second, until=2.5)
    assert decoded[-49:] == list(range(3001, 3050))


def test_a_far_end_whose_numbers_begin_anew_is_heard_again(decoded):
    first = on_time([numbered(n) for n in range(5000, 5100)])
    second = on_time([numbered(n) for n in range(100)], first=2.0)
    Listener().listen(first + second, until=4.5)
    assert decoded[-50:] == list(range(50, 100))


def test_an_hour_that_is_missing_is_not_waited_for(decoded):
    first = on_time([numbered(n) for n in range(50)])
    second = on_time([numbered(n, skipped=180_000) for n in range(60, 110)], first=1.2)
    Listener().listen(first + second, until=2.5)
    assert decoded == [*range(50), *range(60, 110)]


def test_what_is_no_opus_is_counted_and_passed_over(decoded):
    arrivals = on_time([numbered(n) if n != 50 else MediaPacket(7, n, n, b"") for n in range(100)])
    listener = Listener()
    listener.listen(arrivals, until=2.2)
    assert listener.buffer.counters.invalid_packets == 1
    assert decoded == [n for n in range(100) if n != 50]


def test_packets_for_nobody_do_not_pile_up_and_are_not_played_late(decoded):
    buffer = ReceiveBuffer()
    for number in range(1000):
        buffer.put(numbered(number))
    buffer.pull(480)
    assert decoded[0] >= 1000 - MAX_INBOX
    assert decoded[0] >= 1000 - 200 // 20


def test_a_flush_silences_what_is_here_and_what_is_still_on_its_way(decoded):
    listener = Listener()
    packets = on_time(map(numbered, range(60)))
    assert listener.listen(packets[:50], until=1.0)[-480:].min() > 0
    listener.buffer.flush()
    rest = listener.listen(packets[50:55], until=1.5)
    assert not is_audible(rest[FADE_MS * 48 :])
    assert rest[: FADE_MS * 48].max() > 0
    # A new answer, after a pause in which the far end was silent.
    heard = listener.listen(on_time([numbered(n, skipped=20) for n in range(55, 100)], first=1.5), until=2.5)
    assert (heard == level(90)).any()


@pytest.mark.real_opus
def test_in_band_fec_brings_back_what_was_lost_and_costs_the_time_that_it_needs():
    packets = real_packets(loss=20)
    rng = np.random.default_rng(3)
    kept = [a for a in on_time(packets) if rng.random() >= 0.1]
    listener = Listener()
    listener.listen(kept, until=len(packets) * FRAME_S)
    counters = listener.buffer.counters
    lost_ms = 20 * counters.lost_packets
    assert lost_ms >= 400
    assert counters.recovered_ms > 0.5 * lost_ms
    assert counters.recovered_ms + counters.concealed_ms <= 1.2 * lost_ms
    assert counters.delay_ms <= 60


@pytest.mark.real_opus
def test_the_same_packets_sound_the_same_each_time():
    packets = [a for a in on_time(real_packets(loss=5)) if a.packet.sequence % 11]
    one, other = (Listener().listen(packets, until=3.0) for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.real_opus
def test_a_long_outage_fades_to_comfort_noise_and_comes_back():
    packets = on_time(real_packets())
    heard = Listener().listen([a for a in packets if not 2.0 <= a.at < 3.0], until=4.0)
    outage = heard[int(2.5 * SAMPLE_RATE) : int(2.9 * SAMPLE_RATE)]
    assert np.abs(outage).max() < 100
    assert np.abs(heard[int(3.2 * SAMPLE_RATE) :]).max() > 3000
