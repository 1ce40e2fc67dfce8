"""The files of scenarios, looked at again and again until one has changed.

Law: it believes what a file is, not what it is told; not every file system tells of changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from couchvoice.scenario.scenario import Scenario

LOOK_AGAIN = 0.3  # seconds between two looks

_Stamp = tuple[int, int] | None  # None: it is not there


class WatchedFiles:
    """``paths`` may get new files, too."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._seen: dict[Path, _Stamp] = {}
        self._named: set[Path] = set()
        self._changed: set[Path] = set()

    def look_at(self, scenarios: Iterable[Scenario]) -> None:
        """From now on these."""
        self._named = {file for scenario in scenarios for file in scenario.files()}
        self._seen = {file: _stamp(file) for file in self._files()}
        self._changed = set()

    async def change(self) -> None:
        """Return when something has changed since ``look_at`` or the last time."""
        while True:
            now = {file: _stamp(file) for file in self._files()}
            changed = {file for file in now.keys() | self._seen.keys() if now.get(file) != self._seen.get(file)}
            if changed:
                self._seen, self._changed = now, self._changed | changed
                return
            await asyncio.sleep(LOOK_AGAIN)

    def is_new(self, scenario: Scenario) -> bool:
        """Something that it is made of has changed since ``look_at``."""
        return bool(self._changed & scenario.files())

    def _files(self) -> set[Path]:
        found = {file for path in self._paths if path.is_dir() for file in path.rglob("*") if file.is_file()}
        return found | self._named | {path for path in self._paths if not path.is_dir()}


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
