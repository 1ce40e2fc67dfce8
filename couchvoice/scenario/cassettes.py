"""Where the cassettes of a run are: one file for one scenario, a folder with one for each of several.

Law: what cannot be written or read is refused before anything is held.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from couchvoice.cassette import load_cassette
from couchvoice.errors import ConfigError
from couchvoice.scenario.scenario import Scenario

SUFFIX = ".cassette"

_UNFIT = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Cassettes:
    """By the names of the scenarios."""

    recorded: dict[str, Path]
    replayed: dict[str, Path]

    @staticmethod
    def of(record: Path | None, replay: Path | None, scenarios: Sequence[Scenario]) -> Cassettes:
        """Raises ConfigError."""
        recorded = _places(record, scenarios) if record is not None else {}
        replayed = _places(replay, scenarios) if replay is not None else {}
        for path in replayed.values():
            load_cassette(path)
        if record is not None and record not in recorded.values():
            _make(record)
        for path in recorded.values():
            _check_writable(path)
        return Cassettes(recorded, replayed)

    def to_record(self, scenario: Scenario) -> str | None:
        return _text(self.recorded.get(scenario.name))

    def to_replay(self, scenario: Scenario) -> str | None:
        return _text(self.replayed.get(scenario.name))


def _places(path: Path, scenarios: Sequence[Scenario]) -> dict[str, Path]:
    if len(scenarios) == 1 and not path.is_dir():
        return {scenarios[0].name: path}
    places = {scenario.name: path / f"{_UNFIT.sub('-', scenario.name)}{SUFFIX}" for scenario in scenarios}
    seen: dict[Path, str] = {}
    for name, place in places.items():
        if place in seen:
            raise ConfigError(f'the scenarios "{seen[place]}" and "{name}" would share {place}: rename one of them')
        seen[place] = name
    return places


def _check_writable(path: Path) -> None:
    """Without touching a cassette that is there: the talk that would replace it may not come about."""
    was_there = path.exists()
    try:
        path.open("ab").close()
        if not was_there:
            path.unlink()
    except OSError as exc:
        raise ConfigError(f"cannot write the cassette {path}: {(exc.strerror or str(exc)).lower()}") from exc


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"cannot write cassettes into {folder}: {(exc.strerror or str(exc)).lower()}") from exc


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
