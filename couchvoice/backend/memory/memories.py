"""The seams behind which memory is kept: what there is, how it is found, how it goes away, and what is allowed.

Law: each question names the owner, and gets what is that owner's; time is an argument. An incognito talk asks none of
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from couchvoice.backend.memory.records import Confirmed, Kind, MemoryCounts, Record, RecordId, Statement


class Records(Protocol):
    async def counts(self, owner: str) -> MemoryCounts: ...

    async def listed(self, owner: str, kind: Kind, *, after: int, limit: int) -> list[Record]:
        """As displayed, the oldest first, so that what is new changes no number; those that follow index ``after``."""

    async def newest(self, owner: str, kind: Kind, *, limit: int) -> list[Record]:
        """The last ones as displayed, in that order."""

    async def at(self, owner: str, kind: Kind, index: int) -> Record:
        """Refused (404)."""

    async def index_of(self, owner: str, record: RecordId) -> int:
        """As displayed."""

    async def keep(self, owner: str, statement: Statement, *, thread_id: str, now: datetime) -> Record:
        """What says the same is kept once, and counted. Another one may have to make room."""


class Search(Protocol):
    async def any_word(self, owner: str, query: str, *, limit: int) -> list[Record]:
        """The best first, by the database's own full-text search. ``index`` is as displayed."""

    async def every_word(self, owner: str, query: str, *, limit: int) -> list[Record]: ...


class Deletions(Protocol):
    async def delete_at(self, owner: str, kind: Kind, index: int, *, now: datetime) -> Record:
        """Refused (404). For RESTORABLE it can be had back."""

    async def deleted(self, owner: str, *, limit: int) -> list[Record]:
        """What can be had back, the last deleted first."""

    async def restore(self, owner: str, record: RecordId, *, now: datetime) -> Record:
        """Refused (404)."""

    async def purge(self, *, now: datetime) -> None:
        """For good: what was deleted too long ago, and candidates that nobody has mentioned for a long time."""


class PendingDeletions(Protocol):
    """One for each owner and thread, also when another process is asked next."""

    async def prepare(self, owner: str, thread_id: str, records: Sequence[Record], *, now: datetime) -> None: ...

    async def confirm(self, owner: str, thread_id: str, *, now: datetime) -> Confirmed:
        """Exactly what was prepared."""

    async def cancel(self, owner: str, thread_id: str) -> bool:
        """Whether there was something to cancel."""


class RecallSwitch(Protocol):
    """Whether what is remembered may be brought up unasked. Off until its owner switches it on."""

    async def is_on(self, owner: str) -> bool: ...

    async def turn(self, owner: str, *, on: bool, now: datetime) -> None: ...


class Memories(Protocol):
    @property
    def records(self) -> Records: ...

    @property
    def search(self) -> Search: ...

    @property
    def deletions(self) -> Deletions: ...

    @property
    def pending(self) -> PendingDeletions: ...

    @property
    def recall(self) -> RecallSwitch: ...
