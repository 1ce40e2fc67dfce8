"""The database's tables as they are now. How they came to be stands in ``migrations``; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

threads = Table(
    "threads",
    metadata,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False, index=True),  # user_id, else the thread's id
    Column("created_at", DateTime(timezone=True), nullable=False),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("number", Integer, nullable=False),  # from 1
    Column("client_turn_id", String),
    Column("fingerprint", String, nullable=False),
    Column("user_text", Text, nullable=False),
    Column("assistant_text", Text, nullable=False),
    Column("outcome", String, nullable=False),
    Column("tool_calls", JSON, nullable=False),
    Column("heard_text", Text),
    Column("timings", JSON, nullable=False),
    Column("diagnostics", JSON, nullable=False),
    Column("message_count", Integer, nullable=False),  # the thread's, with this turn
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("thread_id", "number", name="uq_turns_thread_id_number"),
    UniqueConstraint("thread_id", "client_turn_id", name="uq_turns_thread_id_client_turn_id"),
)

arcs = Table(
    "arcs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("session_id", String),  # None: the client did not name its session
    Column("last_turn", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("primary_themes", JSON, nullable=False),
    Column("mood_opened", String, nullable=False),
    Column("mood_closed", String, nullable=False),
    Column("turn_count", Integer, nullable=False),
    Column("open_loops", JSON, nullable=False),
    Column("resolved_threads", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("thread_id", "session_id", name="uq_arcs_thread_id_session_id"),
    UniqueConstraint("thread_id", "last_turn", name="uq_arcs_thread_id_last_turn"),
)
