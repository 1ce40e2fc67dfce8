"""The endpoints of memory: what an owner's talks have left, by kind and number."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from couchvoice.contract.model import Reply, Request

MEMORY_PATH = "/api/memory"
MEMORY_STATUS_PATH = f"{MEMORY_PATH}/status"
MEMORY_RECALL_PATH = f"{MEMORY_PATH}/recall"
MEMORY_DELETED_PATH = f"{MEMORY_PATH}/deleted"
MEMORY_EXPORT_PATH = f"{MEMORY_PATH}/export"
RESTORE = "restore"  # /api/memory/{id}/restore

MemoryKind = Literal["facts", "sessions", "rules"]


class MemoryStatusReply(Reply):
    """``GET /api/memory/status``: how much is remembered, and whether it may be brought up unasked.

    ``held``: said, but not often or plainly enough to be kept.
    """

    recall_enabled: bool
    facts: int
    sessions: int
    rules: int
    held: int = 0


class RecallRequest(Request):
    """``PATCH /api/memory/recall``"""

    enabled: bool


class RecallReply(Reply):
    enabled: bool


class MemoryRecord(Reply):
    """``index``: its number as displayed, from 1; null for what is deleted. ``evidence``: the person's own words."""

    id: str  # such as fact-12
    index: int | None = None
    text: str
    evidence: str | None = None
    thread_id: str | None = None
    mentions: int = 1
    created_at: datetime
    deleted_at: datetime | None = None
    restorable_until: datetime | None = None


class MemoryListReply(Reply):
    """``GET /api/memory/{facts,sessions,rules}``: the oldest first. ``next``: what to send as ``after`` for the rest.

    And ``GET /api/memory/deleted``: the last deleted first.
    """

    entries: list[MemoryRecord]
    next: int | None = None


class MemoryExportReply(Reply):
    """``GET /api/memory/export``: everything that is remembered of an owner."""

    recall_enabled: bool
    facts: list[MemoryRecord]
    sessions: list[MemoryRecord]
    rules: list[MemoryRecord]
    deleted: list[MemoryRecord] = []
