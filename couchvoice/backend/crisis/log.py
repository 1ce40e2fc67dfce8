"""The crisis log: that there was a crisis, what was done, and what the audit found; never what was said.

    crisis           a tool for crises was called in a turn
    missed_crisis    the user's words said that somebody may come to harm, and no such tool was called
    invented_number  an answer held numbers that were not looked up in its turn

Always on: what belongs to a persistent talk is kept with it, for RETENTION; what belongs to an incognito one is in
the memory of this process. Law: neither a word nor a number of the talk is in it.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, get_args

from couchvoice.backend.crisis.places import LookupStatus
from couchvoice.backend.crisis.template import RiskLevel

RETENTION = timedelta(days=90)
MAX_IN_MEMORY = 1000  # entries; then the oldest goes

CRISIS_TOOLS = ("lookup_crisis_resources", "get_crisis_support_template")


class CrisisKind(enum.StrEnum):
    CRISIS = "crisis"
    MISSED = "missed_crisis"
    INVENTED = "invented_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrisisEntry:
    """``numbers``: how many were invented. ``judged_by``: rules, or classifier; None: nothing was to judge."""

    kind: CrisisKind
    thread_id: str
    session_id: str | None
    created_at: datetime
    tools: Sequence[str] = ()
    lookup_status: str | None = None
    risk_level: str | None = None
    numbers: int = 0
    judged_by: str | None = None


class CrisisLog(Protocol):
    async def add(self, entry: CrisisEntry, *, message_count: int) -> None:
        """``message_count``: the thread's with the turn, which tells the turn. The same entry again changes nothing.

        Of a turn that is no longer kept nothing is added.
        """

    async def entries(self, *, limit: int) -> list[CrisisEntry]:
        """Newest first."""

    async def purge(self, *, before: datetime) -> None: ...


class MemoryCrisisLog:
    """Implements CrisisLog. Nobody sweeps it: what is too old goes when something is added."""

    def __init__(self, *, limit: int = MAX_IN_MEMORY) -> None:
        self._entries: deque[CrisisEntry] = deque(maxlen=limit)

    async def add(self, entry: CrisisEntry, *, message_count: int) -> None:
        await self.purge(before=entry.created_at - RETENTION)
        self._entries.append(entry)

    async def entries(self, *, limit: int) -> list[CrisisEntry]:
        return list(reversed(self._entries))[:limit]

    async def purge(self, *, before: datetime) -> None:
        while self._entries and self._entries[0].created_at < before:
            self._entries.popleft()


def crisis_of(
    calls: Sequence[Mapping[str, Any]], *, thread_id: str, session_id: str | None, now: datetime
) -> CrisisEntry | None:
    """What the tool calls of a turn say of a crisis. None: none of them is for one."""
    tools = [call for call in calls if call["tool_name"] in CRISIS_TOOLS]
    if not tools:
        return None
    outputs = [call["output"] for call in tools]
    return CrisisEntry(
        kind=CrisisKind.CRISIS,
        thread_id=thread_id,
        session_id=session_id,
        created_at=now,
        tools=sorted({str(call["tool_name"]) for call in tools}),
        lookup_status=_last(outputs, "resource_lookup_status", get_args(LookupStatus)),
        risk_level=_last(outputs, "risk_level", get_args(RiskLevel)),
    )


def _last(outputs: Sequence[Mapping[str, Any]], field: str, allowed: Sequence[str]) -> str | None:
    """Words of ours only: the client tells what a tool has answered."""
    return next((output[field] for output in reversed(outputs) if output.get(field) in allowed), None)
