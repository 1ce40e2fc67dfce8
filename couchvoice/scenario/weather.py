"""Weather: what a network does to packets. Pure: it has no clock and no socket, time is an argument.

A Passage is one direction; told of each packet in the order of sending, it answers when its copies arrive.
Law: a packet's fate follows from the seed, its number and what was sent before it, and nothing else; each fate is drawn
whether it is asked for or not, so that with one seed the same packets are lost under any jitter.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from couchvoice.errors import ConfigError

OVERTAKEN_BY = 0.05  # seconds that a reordered packet is held back: the next two of a voice stream overtake it
BITS_PER_BYTE = 8


@dataclass(frozen=True, slots=True)
class Bursts:
    """Gilbert's channel: while it is bad everything is lost. Both are probabilities per packet.

    The share that is lost is ``begin / (begin + end)``, a burst is ``1 / end`` packets long on average.
    """

    begin: float
    end: float

    def __post_init__(self) -> None:
        """Raises ConfigError."""
        _require_shares(self, "begin", "end")


@dataclass(frozen=True, slots=True)
class Weather:
    """Times in seconds, shares between 0 and 1, ``rate`` in bit/s. As it stands: nothing happens to anything.

    ``jitter`` is the deviation of a normal distribution around ``delay``, cut off at no delay; a packet may overtake
    another, as with netem. What would wait longer than ``queue`` for a slow link is lost. A blackhole is ``loss=1``.
    Raises ConfigError for a figure that cannot be.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    bursts: Bursts | None = None
    reordered: float = 0.0
    duplicated: float = 0.0
    rate: float | None = None
    queue: float = 0.2

    def __post_init__(self) -> None:
        _require_shares(self, "loss", "reordered", "duplicated")
        for name in ("delay", "jitter", "queue"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"weather: {name} is a time in seconds, and {getattr(self, name)!r} is none")
        if self.rate is not None and not self.rate > 0:
            raise ConfigError(f"weather: rate is more than 0 bit/s, and {self.rate!r} is not: a blackhole is loss=1")


class Passage:
    """``weather`` may be replaced at any time: it counts for the packets that are sent from then on."""

    def __init__(self, weather: Weather, *, seed: int) -> None:
        self.weather = weather
        self.sent = 0  # packets
        self.lost = 0
        self.duplicated = 0
        self._random = random.Random(seed)
        self._bad = False  # in a burst
        self._free_at = 0.0  # when the slow link has sent what it has

    def send(self, size: int, *, now: float) -> tuple[float, ...]:
        """When the copies of a packet of ``size`` bytes arrive: none if it is lost."""
        copies = self._copies(size, now)
        self.sent += 1
        self.lost += not copies
        self.duplicated += len(copies) > 1
        return copies

    def _copies(self, size: int, now: float) -> tuple[float, ...]:
        weather, draw = self.weather, self._random.random
        lost, in_burst = draw() < weather.loss, self._in_burst(draw())
        reordered, duplicated = draw() < weather.reordered, draw() < weather.duplicated
        delay, second_delay = self._delay(), self._delay()
        if lost or in_burst:
            return ()
        leaves = self._leaves_link(size, now)
        if leaves is None:
            return ()
        arrives = leaves + delay + (OVERTAKEN_BY if reordered else 0.0)
        return (arrives, leaves + second_delay) if duplicated else (arrives,)

    def _in_burst(self, drawn: float) -> bool:
        bursts = self.weather.bursts
        if bursts is None:
            self._bad = False
        else:
            self._bad = drawn >= bursts.end if self._bad else drawn < bursts.begin
        return self._bad

    def _delay(self) -> float:
        return max(0.0, self.weather.delay + self._random.gauss(0.0, 1.0) * self.weather.jitter)

    def _leaves_link(self, size: int, now: float) -> float | None:
        if self.weather.rate is None:
            return now
        begins = max(now, self._free_at)
        if begins - now > self.weather.queue:
            return None
        self._free_at = begins + size * BITS_PER_BYTE / self.weather.rate
        return self._free_at


def _require_shares(weather: Bursts | Weather, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(weather, name) <= 1:
            raise ConfigError(f"weather: {name} is a share between 0 and 1, and {getattr(weather, name)!r} is none")
