"""A scenario: one conversation to be held, with its name and the places of what its file says.

Law: it is what was written; script_check.py says whether that can be held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from couchvoice.errors import ConfigError
from couchvoice.scenario.place import Place
from couchvoice.scenario.script import WAV, Command, Say, Script, Step

WHOLE = "$"  # the path of the whole script; its parts are ``$.steps[0].say``


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """``places`` are by path."""

    name: str
    file: Path
    script: Script
    places: Mapping[str, Place]

    def place(self, path: str) -> Place:
        """Of the part, or of the nearest that it is in."""
        while path not in self.places and path != WHOLE:
            path = path[: max(path.rfind("."), path.rfind("["), len(WHOLE))]
        return self.places[path]

    def refuse(self, path: str, problem: str) -> NoReturn:
        """Raises ConfigError."""
        raise ConfigError(f"{self.place(path)}: {problem}")

    def steps(self) -> Iterator[tuple[str, Step | Command]]:
        """Each with its path."""
        for index, step in enumerate(self.script.steps):
            yield f"$.steps[{index}]", step

    def sayings(self) -> Iterator[tuple[str, Say]]:
        """Everything that is said, in order, with its path."""
        for path, step in self.steps():
            if isinstance(step, Step):
                if step.say is not None:
                    yield f"{path}.say", said(step.say)
                if step.interrupt is not None and step.interrupt.say is not None:
                    yield f"{path}.interrupt.say", said(step.interrupt.say)

    def files(self) -> set[Path]:
        """All that it is made of."""
        named = [say.wav for _, say in self.sayings() if say.wav is not None] + list(self.script.recordings)
        texts = [str(Path(wav).with_suffix(".txt")) for wav in named]
        replies = [self.script.replies] if self.script.replies is not None else []
        return {Path(name) for name in (*named, *texts, *replies)} | {place.file for place in self.places.values()}


def said(say: str | Say) -> Say:
    """A bare text is a WAV's name if it ends like one."""
    if isinstance(say, Say):
        return say
    return Say(wav=say) if say.lower().endswith(WAV) else Say(text=say)
