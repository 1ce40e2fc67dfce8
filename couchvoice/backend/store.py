"""What is kept of persistent talks, and the seams behind which it is kept.

The turns, the threads that they belong to, how those are finalized, the sessions that may go on at another process,
what is remembered (memory/memories.py), the exercises that one is in, and how a talk was found. Law: nothing here
prints what was spoken; an incognito request never reaches a store; whoever names an owner sees what is that owner's,
and anything else is Refused (404) as if it were not there.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.crisis.log import CrisisLog
from couchvoice.backend.exercises.book import ExerciseBook
from couchvoice.backend.feedback import FeedbackBook
from couchvoice.backend.memory.memories import Memories
from couchvoice.backend.memory.records import Lesson
from couchvoice.backend.pauses import PauseBook
from couchvoice.backend.refusals import Refused
from couchvoice.contract import Outcome
from couchvoice.private import Private


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Turn:
    """One exchange as it is recorded. ``fingerprint`` tells a repeated request from another with the same id.

    ``guest``: the thread has no user, its id stands for one. Without ``transcript_kept`` the texts are empty.
    """

    thread_id: str
    owner: str
    guest: bool
    session_id: str | None
    client_turn_id: str | None
    fingerprint: str
    channel: str
    transcript_kept: bool
    user_text: str
    assistant_text: str
    heard_text: str | None
    outcome: Outcome
    route: str
    response_style: str | None
    tool_calls: list[dict[str, Any]]
    grounded_lookup: dict[str, Any] | None
    timings: dict[str, Any]
    diagnostics: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeptTurn:
    """A turn with its place in the thread, from 1."""

    turn: Turn
    number: int
    created_at: datetime


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


class Finalization(enum.StrEnum):
    IDLE = "idle"  # turns are open, or nobody has asked yet
    IN_PROGRESS = "in_progress"  # somebody has claimed it
    COMPLETED = "completed"  # every turn belongs to an arc
    FAILED = "failed"  # waits for somebody to ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread as a list shows it. ``open_turns`` belong to no arc yet; ``failure``: why it could not be finalized."""

    thread_id: str
    guest: bool
    created_at: datetime
    active_at: datetime
    turn_count: int
    message_count: int
    open_turns: int
    finalization: Finalization
    finalized_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """What was deleted."""

    threads: int
    turns: int


Place = tuple[datetime, str]  # of a thread in a list: when it began, and its id


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Claim:
    """The right to finalize these turns of a thread, until it is given up, taken away, or used."""

    thread_id: str
    token: str
    session_id: str | None
    turns: Sequence[Turn]
    last_number: int


class FinalizationInProgress(Refused):
    """Somebody else holds the claim."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE, "finalization_in_progress", "this thread is being finalized: ask again"
        )


class Turns(Protocol):
    async def record(self, turn: Turn) -> int:
        """Keep a turn; returns the thread's message count with it.

        The same ``client_turn_id`` again: with the same fingerprint the count that was answered then, with another
        one Refused (409).
        """

    async def history(self, thread_id: str, *, owner: str, after: int, limit: int) -> list[KeptTurn]:
        """In order, those with a number above ``after``."""

    async def recent(self, thread_id: str, *, owner: str, limit: int) -> list[KeptTurn]:
        """The last ones, in order. Of a thread that is not there, or is another's: none."""

    async def counts(self, owner: str) -> Counts: ...


class Threads(Protocol):
    async def listed(self, owner: str | None, *, before: Place | None, limit: int) -> list[Thread]:
        """Newest first, those that follow ``before``. Without an owner: the threads that have no user."""

    async def find(self, thread_id: str, *, owner: str) -> Thread: ...

    async def owner(self, thread_id: str) -> str | None:
        """Whose it is, also while nothing was said yet. None: nobody's."""

    async def delete(self, thread_id: str, *, owner: str) -> int:
        """With everything that belongs to it. Returns how many turns went."""

    async def erase(self, owner: str) -> Gone:
        """All threads of an owner."""


class Endings(Protocol):
    async def claim(
        self, thread_id: str, *, owner: str | None, session_id: str | None, now: datetime, idle_since: datetime | None
    ) -> Claim | Arc | None:
        """The right to finalize the open turns, or the arc that this session got before, or None: nothing to do.

        Raises FinalizationInProgress. Without an owner the thread's own counts. ``idle_since``: only if nothing has
        happened since.
        """

    async def complete(self, claim: Claim, arc: Arc | None, *, lessons: Sequence[Lesson] = (), now: datetime) -> None:
        """Keep the arc, if there is one, and what was learnt. Raises FinalizationInProgress when the claim is lost."""

    async def fail(self, claim: Claim, failure: str) -> None: ...

    async def due(self, *, idle_since: datetime, now: datetime, limit: int) -> list[str]:
        """Threads whose open turns nobody ends: quiet for so long, or claimed by somebody who is gone."""

    async def served_here(self, *, limit: int) -> list[str]:
        """Threads with open turns, the last of which this process recorded."""


class KeptSessions(Protocol):
    """Of persistent sessions only, so that another process, or this one after a restart, knows their tokens."""

    async def keep(self, session_id: str, token: Private, briefing: Briefing) -> None: ...

    async def find(self, token: Private) -> tuple[str, Briefing] | None: ...

    async def forget(self, session_id: str) -> None: ...

    async def purge(self, *, opened_before: datetime) -> None: ...


class Store(Protocol):
    @property
    def turns(self) -> Turns: ...

    @property
    def threads(self) -> Threads: ...

    @property
    def endings(self) -> Endings: ...

    @property
    def sessions(self) -> KeptSessions: ...

    @property
    def memory(self) -> Memories: ...

    @property
    def crisis(self) -> CrisisLog: ...

    @property
    def exercises(self) -> ExerciseBook: ...

    @property
    def feedback(self) -> FeedbackBook: ...

    @property
    def pauses(self) -> PauseBook: ...

    async def check(self) -> None:
        """Raises Refused (503) when it cannot keep anything now."""

    async def close(self) -> None: ...
