"""Modes as a session has them: each with its instructions, its tools, and the voice that goes with it.

Law: a mode gives only what may change while a session runs, and the tools for silence and danger are in all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.instructions import instructions
from couchvoice.backend.modes.mode_file import ModeFile, read_modes
from couchvoice.backend.recollection import Recollection
from couchvoice.backend.refusals import Refused
from couchvoice.backend.tools import ToolRegistry

ALWAYS = frozenset({"wait_for_user", "lookup_crisis_resources", "get_crisis_support_template"})
FEEDBACK = "give_session_feedback"  # in all modes, too, if the backend has it

_EXERCISE = "record_guided_exercise_progress"


@dataclass(frozen=True, slots=True)
class Mode:
    instructions: Callable[[Briefing, Recollection | None], str]
    tools: ToolRegistry
    voice: str | None = None

    def config(self, briefing: Briefing, recollection: Recollection | None) -> dict[str, Any]:
        """The mode's part of the session config."""
        return {
            "tools": self.tools.schemas(briefing.memory_mode),
            "instructions": self.instructions(briefing, recollection),
        }


class Modes:
    def __init__(self, by_name: Mapping[str, Mode]) -> None:
        self._by_name = by_name

    @classmethod
    def of(cls, tools: ToolRegistry, *, folder: Path | None = None) -> Modes:
        """The shipped ones, and those of the folder. Raises ConfigError."""
        files = read_modes(folder, tools=tools.names)
        return cls({name: _mode(file, tools) for name, file in files.items()})

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


def _mode(file: ModeFile, tools: ToolRegistry) -> Mode:
    own = tools if file.tools is None else tools.only(file.tools | ALWAYS | {FEEDBACK})
    written = functools.partial(
        instructions,
        manner=file.manner,
        leads_exercises=_EXERCISE in own.names,
        asks_feedback=FEEDBACK in own.names,
    )
    return Mode(written, own, file.voice)
