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
from couchvoice.scenario.weather import Bursts, Weather

CLEAR = "clear"
SEED = 1

_BURSTS = "bursts"


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
    typed = {figure: _typed(figure, value) for figure, value in figures.items()}
    return ScriptedWeather(weather_named(str(name), **typed), Direction(direction), seed)


def _typed(figure: str, value: Any) -> Any:
    if figure == _BURSTS:
        try:
            return msgspec.convert(value, Bursts)
        except msgspec.ValidationError as exc:
            raise ConfigError(f"weather: {figure} has a begin and an end, both shares: {exc}") from exc
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f'weather: {figure} is a number, not "{value}"')
    return float(value)
