"""Weather: each thing that can happen to a packet, and that one seed is one history."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.errors import ConfigError
from couchvoice.scenario.named_weather import NAMED_WEATHER, weather_named
from couchvoice.scenario.weather import OVERTAKEN_BY, Bursts, Passage, Weather

pytestmark = pytest.mark.row("P9")

PACKETS = 4000
APART = 0.02  # seconds
SIZE = 100  # bytes

shares = st.floats(0, 1)
times = st.floats(0, 1)
bursts = st.none() | st.builds(Bursts, begin=shares, end=shares)
weathers = st.builds(Weather, times, times, shares, bursts, shares, shares, st.none() | st.floats(1e3, 1e7), times)


def arrivals(weather: Weather, seed: int = 1, packets: int = PACKETS) -> list[tuple[float, ...]]:
    """Of packets sent each 20 ms: seconds since each was sent."""
    passage = Passage(weather, seed=seed)
    sent = [number * APART for number in range(packets)]
    return [tuple(at - now for at in passage.send(SIZE, now=now)) for now in sent]


def test_without_weather_each_packet_arrives_once_and_at_once() -> None:
    assert arrivals(Weather()) == [(0.0,)] * PACKETS


@given(weather=weathers, seed=st.integers(0, 2**32))
def test_one_seed_is_one_history_and_nothing_arrives_before_it_was_sent(weather: Weather, seed: int) -> None:
    history = arrivals(weather, seed, packets=50)
    assert history == arrivals(weather, seed, packets=50)
    assert all(late >= 0 for copies in history for late in copies)


@given(weather=weathers, jitter=times, seed=st.integers(0, 2**32))
def test_the_same_packets_are_lost_under_any_jitter(weather: Weather, jitter: float, seed: int) -> None:
    shaken = arrivals(replace(weather, jitter=jitter), seed, packets=50)
    assert [len(copies) for copies in shaken] == [len(copies) for copies in arrivals(weather, seed, packets=50)]


def test_so_many_are_lost_and_duplicated() -> None:
    counts = [len(copies) for copies in arrivals(Weather(loss=0.1, duplicated=0.2))]
    assert counts.count(0) / PACKETS == pytest.approx(0.1, abs=0.02)
    assert counts.count(2) / PACKETS == pytest.approx(0.9 * 0.2, abs=0.02)


def test_bursts_lose_so_many_in_a_row() -> None:
    lost = [not copies for copies in arrivals(Weather(bursts=Bursts(begin=0.01, end=0.1)))]
    runs = [len(list(run)) for gone, run in groupby(lost) if gone]
    assert fmean(lost) == pytest.approx(0.01 / 0.11, abs=0.03)
    assert fmean(runs) == pytest.approx(10, abs=3)


def test_a_blackhole_swallows_everything_while_it_lasts() -> None:
    passage = Passage(Weather(loss=1.0), seed=1)
    assert passage.send(SIZE, now=1.0) == ()
    passage.weather = Weather(delay=0.5)
    assert passage.send(SIZE, now=2.0) == (2.5,)


def test_jitter_is_spread_around_the_delay() -> None:
    late = [at for (at,) in arrivals(Weather(delay=0.2, jitter=0.05))]
    assert fmean(late) == pytest.approx(0.2, abs=0.005)
    assert stdev(late) == pytest.approx(0.05, abs=0.005)


def test_reordered_packets_are_overtaken_by_two() -> None:
    late = [at for (at,) in arrivals(Weather(delay=0.02, reordered=0.1))]
    held = [at > APART + OVERTAKEN_BY / 2 for at in late]
    assert fmean(held) == pytest.approx(0.1, abs=0.02)
    assert {round(at, 6) for at in late} == {0.02, 0.02 + OVERTAKEN_BY}


def test_a_slow_link_delays_up_to_its_queue_and_loses_the_rest() -> None:
    # 40 kbit/s are sent, 32 pass.
    history = arrivals(Weather(rate=32_000, queue=0.2))
    longest = max(at for copies in history for at in copies)
    assert sum(map(len, history)) / PACKETS == pytest.approx(0.8, abs=0.01)
    assert 0.2 < longest <= 0.2 + 2 * SIZE * 8 / 32_000


def test_a_passage_counts_what_it_did() -> None:
    passage = Passage(Weather(loss=0.5, duplicated=1.0), seed=1)
    arrived = [passage.send(SIZE, now=number * APART) for number in range(100)]
    assert (passage.sent, passage.lost, passage.duplicated) == (100, arrived.count(()), 100 - arrived.count(()))


@pytest.mark.parametrize("name", NAMED_WEATHER)
def test_weather_with_a_name_may_be_changed(name: str) -> None:
    assert weather_named(name) == NAMED_WEATHER[name]
    assert weather_named(name, delay=0.5) == replace(NAMED_WEATHER[name], delay=0.5)


def test_the_bursts_with_a_name_lose_what_they_say() -> None:
    lost = [not copies for copies in arrivals(weather_named("bursts"), packets=40_000)]
    runs = [len(list(run)) for gone, run in groupby(lost) if gone]
    assert fmean(lost) == pytest.approx(0.05, abs=0.02)
    assert fmean(runs) * APART == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("hail", {}, 'no weather is called "hail": there are clear, loss'),
        ("loss", {"wind": 3}, 'no figure "wind": it has delay'),
        ("loss", {"loss": 1.5}, "loss is a share between 0 and 1, and 1.5"),
        ("delay", {"delay": -1}, "delay is a time in seconds, and -1"),
        ("delay", {"jitter": float("nan")}, "jitter is a time in seconds, and nan"),
        ("slow", {"rate": 0}, "rate is more than 0 bit/s, and 0"),
    ],
)
def test_weather_that_cannot_be_is_refused(name: str, changes: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        weather_named(name, **changes)


def test_a_burst_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="end is a share between 0 and 1, and 2"):
        Bursts(begin=0.5, end=2)
