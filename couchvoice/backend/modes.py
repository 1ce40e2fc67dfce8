"""Modes: what a session is there for. Each has its instructions and its tools.

One so far; another is one more entry in ``by_name``. Law: a mode gives only what may change while a session runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.recollection import Recollection
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools import ToolRegistry

DEFAULT_MODE = "companion"


@dataclass(frozen=True, slots=True)
class Mode:
    instructions: Callable[[Briefing, Recollection | None], str]
    tools: ToolRegistry

    def config(self, briefing: Briefing, recollection: Recollection | None) -> dict[str, Any]:
        """The mode's part of the session config."""
        return {
            "tools": self.tools.schemas(briefing.memory_mode),
            "instructions": self.instructions(briefing, recollection),
        }


class Modes:
    def __init__(self, by_name: Mapping[str, Mode]) -> None:
        self._by_name = by_name

    def find(self, name: str) -> Mode:
        """Refused with 422 when there is none of this name."""
        mode = self._by_name.get(name)
        if mode is None:
            raise Refused(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "unknown_mode",
                f"unknown mode: choose one of {', '.join(sorted(self._by_name))}",
            )
        return mode
