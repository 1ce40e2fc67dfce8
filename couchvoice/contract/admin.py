"""What operators are shown: how much and how long, never what was said, or by whom."""

from __future__ import annotations

from datetime import datetime

from couchvoice.contract.model import Reply


class LiveSessionReply(Reply):
    """A session that is alive: how much and how long, never what."""

    session_id: str
    memory_mode: str
    state: str
    age_s: float
    idle_s: float
    bytes_in: int
    bytes_out: int
    turns: int
    tool_calls: int


class LiveSessionsReply(Reply):
    sessions: list[LiveSessionReply]


class CrisisEntryReply(Reply):
    """An entry of the crisis log: what was done and found, never what was said, by whom or on which thread."""

    created_at: datetime
    kind: str  # crisis, missed_crisis, invented_number
    memory_mode: str
    session_id: str | None = None
    tools: list[str] = []
    lookup_status: str | None = None
    risk_level: str | None = None
    numbers: int = 0
    judged_by: str | None = None


class CrisisLogReply(Reply):
    """``GET /api/admin/crisis``: newest first, at most 100."""

    entries: list[CrisisEntryReply]
