"""Trace: RTP packets with their times of arrival, the same for every receiver.

Speech, encoded by libopus as a sender would who knows of the losses, and what a network makes of it. Time begins with
the first packet. Law: a trace is a function of its condition, its speech and its seed.
"""

from __future__ import annotations

from dataclasses import dataclass

from couchvoice.audio.opus import OpusEncoder
from couchvoice.scenario.weather import Bursts, Passage, Weather
from tests.bench.speech import FRAME, Speech

APART = 0.02  # seconds from packet to packet
NETWORK_DELAY = 0.02  # seconds
BIT_RATE = 32_000  # bit/s
COMPLEXITY = 9
OVERHEAD = 40  # bytes of IP, UDP and RTP
FIRST_SEQUENCE, FIRST_TIMESTAMP = 65_400, 2**32 - 400_000  # both wrap around within the first ten seconds
SSRC = 0x5EED


@dataclass(frozen=True, slots=True)
class Incident:
    """``seconds`` in the middle of the speech in which nothing arrives; ``held``: it comes all at once afterwards."""

    seconds: float
    held: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """``expected_loss``, in percent: what the sender was told, and spends FEC on."""

    weather: Weather
    expected_loss: int = 0
    incident: Incident | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    number: int
    sequence: int
    timestamp: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    """``arrivals``: seconds and packets, in the order of arrival. ``resumes``: when an incident was over."""

    speech: Speech
    packets: tuple[Packet, ...]
    arrivals: tuple[tuple[float, Packet], ...]
    resumes: float | None = None

    @property
    def lost(self) -> int:
        return len(self.packets) - len({packet.number for _, packet in self.arrivals})


def _plain(**weather: float) -> Condition:
    return Condition(Weather(delay=NETWORK_DELAY, **weather))  # type: ignore[arg-type]  # mypy: one of them is no float


def _loss(percent: int, *, expected: int = 0) -> Condition:
    return Condition(Weather(delay=NETWORK_DELAY, loss=percent / 100), expected_loss=expected)


# 5 % in bursts of 100 ms on average.
_BURSTS = Weather(delay=NETWORK_DELAY, bursts=Bursts(begin=0.0105, end=0.2))

CONDITIONS = {
    "clean": _plain(),
    **{f"loss{percent}": _loss(percent) for percent in (1, 5, 10, 20)},
    **{f"loss{percent}_fec": _loss(percent, expected=percent) for percent in (1, 5, 10, 20)},
    "bursts5": Condition(_BURSTS),
    "bursts5_fec": Condition(_BURSTS, expected_loss=5),
    "jitter20": _plain(jitter=0.02),
    "jitter50": _plain(jitter=0.05),
    "jitter100": _plain(jitter=0.1),
    "reordered10": _plain(reordered=0.1),
    "duplicated10": _plain(duplicated=0.1),
    "outage300": Condition(Weather(delay=NETWORK_DELAY), incident=Incident(0.3, held=False)),
    "stall300": Condition(Weather(delay=NETWORK_DELAY), incident=Incident(0.3, held=True)),
}


def record(condition: Condition, speech: Speech, *, seed: int) -> Trace:
    packets = _encoded(speech, condition.expected_loss)
    passage = Passage(condition.weather, seed=seed)
    arrivals = [
        (at, packet)
        for packet in packets
        for at in passage.send(OVERHEAD + len(packet.payload), now=packet.number * APART)
    ]
    resumes = None
    if condition.incident is not None:
        begins = _middle(speech)
        resumes = begins + condition.incident.seconds
        arrivals = [
            (resumes if begins <= at < resumes else at, packet)
            for at, packet in arrivals
            if condition.incident.held or not begins <= at < resumes
        ]
    return Trace(speech, packets, tuple(sorted(arrivals, key=lambda arrival: arrival[0])), resumes)


def _encoded(speech: Speech, expected_loss: int) -> tuple[Packet, ...]:
    encoder = OpusEncoder(bitrate=BIT_RATE, complexity=COMPLEXITY)
    encoder.expect_loss(expected_loss)
    return tuple(_numbered(number, encoder.encode(samples)) for number, samples in enumerate(speech.frames))


def renumbered(packet: Packet, number: int) -> Packet:
    """The same sound at another place."""
    return _numbered(number, packet.payload)


def _numbered(number: int, payload: bytes) -> Packet:
    return Packet(number, (FIRST_SEQUENCE + number) % 2**16, (FIRST_TIMESTAMP + number * FRAME) % 2**32, payload)


def _middle(speech: Speech) -> float:
    """Within the utterance in the middle, half a second after its beginning. Seconds, as it arrives."""
    begin, _ = speech.utterances[len(speech.utterances) // 3]
    return begin / (FRAME / APART) + 0.5 + NETWORK_DELAY
