"""The weather as a script writes it: a name, or figures with a direction, and a seed.

weather: mobile
weather: {name: delay, loss: 0.05, direction: up, seed: 3}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from couchvoice.errors import ConfigError
from couchvoice.scenario.forwarder import Direction
from couchvoice.scenario.named_weather import weather_named
from couchvoice.scenario.weather import Weather

CLEAR = "clear"
SEED = 1


@dataclass(frozen=True, slots=True)
class ScriptedWeather:
    """``seed`` counts for the first weather of a script only: it is that of the network."""

    weather: Weather
    direction: Direction = Direction.BOTH
    seed: int = SEED


def scripted_weather(written: str | Mapping[str, Any]) -> ScriptedWeather:
    """Raises ConfigError."""
    if isinstance(written, str):
        return ScriptedWeather(weather_named(written))
    figures = dict(written)
    name, direction = figures.pop("name", CLEAR), figures.pop("direction", Direction.BOTH.value)
    seed = figures.pop("seed", SEED)
    known = [one.value for one in Direction]
    if direction not in known:
        raise ConfigError(f'weather goes {", ".join(known)}, not "{direction}"')
    if type(seed) is not int:
        raise ConfigError("the seed of weather is a whole number")
    # Names first: the figures of a name that is none have no types.
    weather = weather_named(str(name), **figures)
    try:
        weather = msgspec.convert(msgspec.to_builtins(weather), Weather)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"weather: {exc}") from exc
    return ScriptedWeather(weather, Direction(direction), seed)
