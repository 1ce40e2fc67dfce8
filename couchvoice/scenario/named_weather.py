"""The weather that a scenario may name, and how its figures are changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from couchvoice.errors import ConfigError
from couchvoice.scenario.weather import Bursts, Weather

# What a scenario may name. Figures: 2 and 10 % are a fair and a bad wireless link; 64 kbit/s holds two Opus streams of
# speech and little else; a burst takes 15 packets, 300 ms of speech, and 5 % of all.
NAMED_WEATHER: Mapping[str, Weather] = {
    "clear": Weather(),
    "loss": Weather(loss=0.02),
    "heavy_loss": Weather(loss=0.10),
    "bursts": Weather(bursts=Bursts(begin=0.0035, end=1 / 15)),
    "delay": Weather(delay=0.15),
    "jitter": Weather(delay=0.05, jitter=0.02),
    "reorder": Weather(delay=0.02, reordered=0.10),
    "duplicate": Weather(duplicated=0.10),
    "slow": Weather(rate=64_000),
    "mobile": Weather(delay=0.06, jitter=0.02, loss=0.01, reordered=0.01),
    "blackhole": Weather(loss=1.0),
}


def weather_named(name: str, **changes: Any) -> Weather:
    """One of NAMED_WEATHER, with some of its figures changed. Raises ConfigError."""
    if name not in NAMED_WEATHER:
        raise ConfigError(f'no weather is called "{name}": there are {", ".join(NAMED_WEATHER)}')
    figures = [field.name for field in fields(Weather)]
    for figure in changes:
        if figure not in figures:
            raise ConfigError(f'weather has no figure "{figure}": it has {", ".join(figures)}')
    return replace(NAMED_WEATHER[name], **changes)
