"""Received sound, as far as it needs no browser: ours beside stock aiortc, the same packets, a virtual clock."""

from __future__ import annotations

import pytest

from tests.bench import listening, our_receiver, stock_receiver
from tests.bench.heard import Heard
from tests.bench.receive import BACK_WITHIN, LOOK_AHEAD
from tests.bench.speech import recorded
from tests.bench.trace import CONDITIONS, NETWORK_DELAY, Trace, record

SEEDS = (1, 2, 3)
MS = 0.001  # seconds


def traces(condition: str) -> list[Trace]:
    return [record(CONDITIONS[condition], recorded(seed), seed=seed) for seed in SEEDS]


def added(trace: Trace, heard: Heard) -> float:
    """Seconds of delay that the receiver is to blame for."""
    found = listening.delays(trace.speech, heard)
    return listening.percentile(found, 50) - NETWORK_DELAY - LOOK_AHEAD


@pytest.mark.row("P20")
@pytest.mark.parametrize(("condition", "most"), [("loss5", 1.0), ("loss10", 1.0), ("loss5_fec", 0.3)])
def test_a_lost_packet_costs_no_more_than_its_own_frame_and_with_fec_seldom_that(condition: str, most: float) -> None:
    for trace in traces(condition):
        assert trace.lost
        assert our_receiver.receive(trace).missing / trace.lost <= most
        assert stock_receiver.receive(trace).missing / trace.lost > 3


@pytest.mark.row("P20")
def test_a_clean_network_costs_little_delay() -> None:
    for trace in traces("clean"):
        assert added(trace, our_receiver.receive(trace)) <= 40 * MS
        assert added(trace, stock_receiver.receive(trace)) >= 80 * MS


@pytest.mark.row("P20")
@pytest.mark.parametrize("incident", ["outage300", "stall300"])
def test_after_an_incident_the_delay_comes_back(incident: str) -> None:
    for trace in traces(incident):
        assert trace.resumes is not None
        found = listening.delays(trace.speech, our_receiver.receive(trace))
        assert listening.back_after(found, resumes=trace.resumes, within=BACK_WITHIN) <= 5.0
