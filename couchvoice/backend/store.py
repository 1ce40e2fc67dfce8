"""What is kept of a persistent talk, and the seam behind which it is kept.

Law: nothing here prints what was spoken; an incognito request never reaches a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from couchvoice.contract import Outcome


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Turn:
    """One exchange as it is recorded. ``fingerprint`` tells a repeated request from another with the same id."""

    thread_id: str
    owner: str
    client_turn_id: str | None
    fingerprint: str
    user_text: str
    assistant_text: str
    outcome: Outcome
    tool_calls: list[dict[str, Any]]
    heard_text: str | None
    timings: dict[str, Any]
    diagnostics: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Arc:
    """What one session was about, from opening to close."""

    summary: str
    primary_themes: list[str]
    mood_opened: str
    mood_closed: str
    turn_count: int
    open_loops: list[str]
    resolved_threads: list[str]


@dataclass(frozen=True, slots=True)
class Counts:
    sessions: int
    turns: int


Summarize = Callable[[Sequence[Turn]], Arc]


class Store(Protocol):
    async def record(self, turn: Turn) -> int:
        """Keep a turn; returns the thread's message count with it.

        The same ``client_turn_id`` again: with the same fingerprint the count that was answered then, with another
        one Refused (409). A thread of another owner: Refused (404).
        """

    async def finish(
        self, thread_id: str, *, owner: str | None, session_id: str | None, summarize: Summarize
    ) -> Arc | None:
        """Close the turns since the last arc with a new one, or give again the arc that this session got before.

        None: there is nothing to close. Without an owner the thread's own counts; another's: Refused (404).
        """

    async def counts(self, owner: str) -> Counts: ...

    async def close(self) -> None: ...
