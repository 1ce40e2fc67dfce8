"""What is remembered, as its readers see it.

Three layers: facts (semantic, with the words that are their evidence), sessions (episodic, one arc each) and rules
(procedural: how the person wants to be answered). Law: a record has one owner, and no name that could be another's.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from couchvoice.backend.refusals import Refused

MAX_TEXT = 300  # characters of a fact or a rule
MAX_RULES = 20  # kept of one owner; then the oldest makes room
MAX_INDEX = 2**31 - 1  # no database counts further
MAX_HELD = 200  # candidates of one owner
REPEATED = 2  # times
RESTORABLE = timedelta(days=30)
PENDING_LIFETIME = timedelta(minutes=10)

_NAME = re.compile(r"(fact|session|rule)-([0-9]{1,9})")  # as large as an id of PostgreSQL may be


class Kind(enum.StrEnum):
    FACT = "fact"
    SESSION = "session"
    RULE = "rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordId:
    """Written as ``fact-12``."""

    kind: Kind
    number: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Record:
    """``index``: its place in what the owner is shown, from 1; 0 where it is shown to nobody (it is deleted).

    ``evidence``: the person's own words. ``mentions``: how often they said so.
    """

    id: RecordId
    index: int
    text: str
    evidence: str | None
    thread_id: str | None
    mentions: int
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def restorable_until(self) -> datetime | None:
        return self.deleted_at and self.deleted_at + RESTORABLE


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Statement:
    """Something that may be remembered. ``slot``: what only one record can say, such as where somebody lives.

    ``repeated``: how often it must have been said, where nothing else speaks for it. ``repetition_only``: and nothing
    else may. ``hedged``: they were not sure of it, or what they said is not known.
    """

    kind: Kind
    text: str
    evidence: str
    slot: str | None = None
    repeated: int = REPEATED
    repetition_only: bool = False
    hedged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Lesson:
    """What a session taught. ``supported``: it may be kept at once; else it is held until it was said often enough."""

    statement: Statement
    supported: bool
    mentions: int = 1


@dataclass(frozen=True, slots=True)
class MemoryCounts:
    facts: int = 0
    sessions: int = 0
    rules: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Confirmed:
    """What came of a confirmation. ``expired``: something was pending, and nobody confirmed it in time."""

    deleted: Sequence[Record] = ()
    expired: bool = False


def read_record_id(name: str) -> RecordId:
    """Of "fact-12". Refused (404) for what is no such name."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise no_such_record()
    return RecordId(kind=Kind(found[1]), number=int(found[2]))


def no_such_record() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "memory_not_found", "there is no such memory")
