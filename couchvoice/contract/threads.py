"""The endpoints of threads: what is kept of the talks of an owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from couchvoice.contract.model import Feedback, FinalizationStatus, Reply

THREADS_PATH = "/api/threads"
HISTORY = "history"  # /api/threads/{thread_id}/history, and so on
STATUS = "status"
END = "end"


class ThreadReply(Reply):
    """``GET /api/threads/{thread_id}/status``, and each entry of a list. Times are ISO 8601, UTC."""

    thread_id: str
    guest: bool  # it has no user
    created_at: datetime
    active_at: datetime  # when its last turn was recorded
    turn_count: int
    message_count: int
    open_turns: int  # not finalized yet
    finalization: FinalizationStatus
    finalized_at: datetime | None = None
    failure: str | None = None  # why it failed; POST /api/threads/{thread_id}/end tries again
    feedback: Feedback | None = None  # of its last session that gave any; not in a list


class ThreadsReply(Reply):
    """``GET /api/threads``: newest first. ``next``: what to send as ``before`` to get the ones that follow."""

    threads: list[ThreadReply]
    next: str | None = None


class Message(Reply):
    """A transcript entry. ``source`` tells a text surface that it was spoken."""

    role: Literal["user", "assistant"]
    content: str
    source: str


class KeptTurnReply(Reply):
    """Everything that is kept of a turn. ``messages`` are empty where ``transcript_kept`` is false."""

    number: int  # in its thread, from 1
    created_at: datetime
    session_id: str | None = None
    client_turn_id: str | None = None
    channel: str
    transcript_kept: bool
    messages: list[Message]
    heard_text: str | None = None
    outcome: str
    route: str
    response_style: str | None = None
    tool_calls: list[dict[str, Any]] = []
    grounded_lookup: dict[str, Any] | None = None
    diagnostics: dict[str, Any] = {}  # voice_runtime, tool_names, timings


class HistoryReply(Reply):
    """``GET /api/threads/{thread_id}/history``: oldest first. ``next``: what to send as ``after`` for the rest."""

    thread_id: str
    guest: bool
    schema_version: str
    turn_count: int
    turns: list[KeptTurnReply]
    next: int | None = None


class DeletedReply(Reply):
    """``DELETE /api/threads/{thread_id}`` and ``DELETE /api/threads``: what is gone for good."""

    threads: int
    turns: int
