"""Which scenarios are meant: of files and folders, and of one shard of several.

Law: names are unique in a run; which shard a scenario is in follows from its name alone, so that it stays where it is
when others come and go.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from couchvoice.errors import ConfigError
from couchvoice.scenario.scenario import WHOLE, Scenario
from couchvoice.scenario.script_file import read_scenarios

SUFFIXES = (".yaml", ".yml")
PART = "_"  # a file of a folder whose name begins so is part of others: rules, included steps
SHIPPED = Path(__file__).with_name("shipped")

_SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Shard:
    """The ``index``-th of ``count``, from 1."""

    index: int
    count: int

    def has(self, name: str) -> bool:
        number = int.from_bytes(hashlib.sha256(name.encode("utf-8", "replace")).digest(), "big")
        return number % self.count == self.index - 1


def shard_of(text: str) -> Shard:
    """``2/5``. Raises ConfigError."""
    found = _SHARD.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f'--shard "{text}": write I/N with I from 1 to N, such as 2/5')
    return Shard(int(found[1]), int(found[2]))


def collected(paths: Sequence[Path], shard: Shard | None = None) -> list[Scenario]:
    """Raises ConfigError: for what cannot be read, two of one name, and when there is nothing to do at all."""
    scenarios = [scenario for file in _files(paths) for scenario in read_scenarios(file)]
    if not scenarios:
        raise ConfigError(f"no scenarios in {', '.join(map(str, paths))}: they are files that end in .yaml")
    first: dict[str, Scenario] = {}
    for scenario in scenarios:
        if (other := first.setdefault(scenario.name, scenario)) is not scenario:
            scenario.refuse(f"{WHOLE}.name", f'"{scenario.name}" is the name of {other.place(f"{WHOLE}.name")}, too')
    return [scenario for scenario in scenarios if shard is None or shard.has(scenario.name)]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and not _is_part(file, path))
        elif path.exists():
            files = [path]
        else:
            raise ConfigError(f"there is no file or folder {path}")
        for file in files:
            if file.resolve() not in seen:
                seen.add(file.resolve())
                yield file


def _is_part(file: Path, folder: Path) -> bool:
    return any(name.startswith((PART, ".")) for name in file.relative_to(folder).parts)
