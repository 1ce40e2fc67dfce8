"""What is made of a session when it ends: its arc, and what was told in it. Whoever makes it is a Summarizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from couchvoice.backend.arc import episodic_arc
from couchvoice.backend.memory.extraction import statements_in
from couchvoice.backend.memory.records import Statement
from couchvoice.backend.store import Arc, Turn


@dataclass(frozen=True, slots=True, repr=False)
class Digest:
    """``told``: by turn."""

    arc: Arc
    told: Sequence[Sequence[Statement]] = ()


class Summarizer(Protocol):
    async def digest(self, turns: Sequence[Turn]) -> Digest:
        """Of at least one turn."""

    async def close(self) -> None: ...


class RulesSummarizer:
    """By rules, offline: the default."""

    async def digest(self, turns: Sequence[Turn]) -> Digest:
        return Digest(episodic_arc(turns), [[*statements_in(turn.user_text)] for turn in turns])

    async def close(self) -> None:
        """Nothing is open."""
