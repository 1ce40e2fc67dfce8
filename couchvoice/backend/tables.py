"""The database's tables as they are now. How they came to be stands in ``migrations``; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = "0007"  # the newest of the migrations


class Moment(TypeDecorator[datetime]):
    """A datetime in UTC. SQLite forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        moment: datetime | None = value
        return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


metadata = MetaData()

threads = Table(
    "threads",
    metadata,
    Column("id", String, primary_key=True),
    Column("owner", String, nullable=False, index=True),  # user_id, else the thread's id
    Column("guest", Boolean, nullable=False, server_default=false()),  # it has no user
    Column("created_at", Moment, nullable=False),
    Column("active_at", Moment, nullable=False),  # when its last turn was recorded
    Column("turn_count", Integer, nullable=False, server_default="0"),  # the number of the last turn
    Column("message_count", Integer, nullable=False, server_default="0"),
    Column("closed_turns", Integer, nullable=False, server_default="0"),  # the last one that belongs to an arc
    Column("served_by", String),  # the process that recorded the last turn
    Column("finalization", String, nullable=False, server_default="idle"),
    Column("finalized_at", Moment),
    Column("failure", String),  # the name of an error, never its text
    Column("claim", String),  # of whoever finalizes it now
    Column("claimed_until", Moment),
    Index("ix_threads_finalization_active_at", "finalization", "active_at"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("number", Integer, nullable=False),  # from 1
    Column("session_id", String),  # None: the client did not name its session
    Column("client_turn_id", String),
    Column("fingerprint", String, nullable=False),
    Column("channel", String, nullable=False, server_default="voice"),
    Column("transcript_kept", Boolean, nullable=False, server_default=true()),
    Column("user_text", Text, nullable=False),
    Column("assistant_text", Text, nullable=False),
    Column("heard_text", Text),
    Column("outcome", String, nullable=False),
    Column("route", String, nullable=False, server_default="therapeutic"),
    Column("response_style", String),
    Column("tool_calls", JSON, nullable=False),
    Column("grounded_lookup", JSON(none_as_null=True)),
    Column("timings", JSON, nullable=False),
    Column("diagnostics", JSON, nullable=False),
    Column("message_count", Integer, nullable=False),  # the thread's, with this turn
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("thread_id", "number", name="uq_turns_thread_id_number"),
    UniqueConstraint("thread_id", "client_turn_id", name="uq_turns_thread_id_client_turn_id"),
)

arcs = Table(
    "arcs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("owner", String, nullable=False),  # the thread's
    Column("session_id", String),  # None: no client named its session when it was ended
    Column("last_turn", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("primary_themes", JSON, nullable=False),
    Column("mood_opened", String, nullable=False),
    Column("mood_closed", String, nullable=False),
    Column("turn_count", Integer, nullable=False),
    Column("open_loops", JSON, nullable=False),
    Column("resolved_threads", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("deleted_at", Moment),  # the owner wants it forgotten
    Index("ix_arcs_owner_deleted_at", "owner", "deleted_at"),
    UniqueConstraint("thread_id", "session_id", name="uq_arcs_thread_id_session_id"),
    UniqueConstraint("thread_id", "last_turn", name="uq_arcs_thread_id_last_turn"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String, primary_key=True),
    Column("token_hash", String, nullable=False, unique=True),  # SHA-256: who reads the database opens no session
    Column("thread_id", String, nullable=False, index=True),  # there may be no such thread yet
    Column("user_id", String),
    Column("language", String),
    Column("save_transcript", Boolean, nullable=False),
    Column("opened_at", Moment, nullable=False, index=True),
)

exercise_runs = Table(
    "exercise_runs",
    metadata,
    Column("id", Integer, primary_key=True),  # the newest of a thread is the one that is on
    Column("owner", String, nullable=False),
    Column("thread_id", String, nullable=False),  # there may be no such thread yet
    Column("exercise_id", String, nullable=False),
    Column("approach", String),
    Column("phase", String, nullable=False),
    Column("step", Integer, nullable=False),  # from 0
    Column("items", Integer, nullable=False),  # how many were named in this step, never which
    Column("stuck", Integer, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Index("ix_exercise_runs_owner_thread_id", "owner", "thread_id"),
    Index("ix_exercise_runs_thread_id", "thread_id"),
)

crisis_log = Table(
    "crisis_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", ForeignKey("threads.id"), nullable=False),
    Column("turn", Integer, nullable=False),  # its number
    Column("session_id", String),
    Column("kind", String, nullable=False),
    Column("tools", JSON, nullable=False),  # their names
    Column("lookup_status", String),
    Column("risk_level", String),
    Column("numbers", Integer, nullable=False),  # how many were invented, never which
    Column("judged_by", String),
    Column("created_at", Moment, nullable=False, index=True),
    UniqueConstraint("thread_id", "turn", "kind", name="uq_crisis_log_thread_id_turn_kind"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thread_id", String, nullable=False),  # there may be no such thread: nothing was said in it
    Column("owner", String, nullable=False, index=True),
    Column("session_id", String, nullable=False),  # empty: the client did not name it
    Column("feedback", String, nullable=False),
    Column("given_at", Moment, nullable=False, index=True),
    UniqueConstraint("thread_id", "owner", "session_id", name="uq_feedback_thread_id_owner_session_id"),
)

user_pauses = Table(
    "user_pauses",
    metadata,
    Column("owner", String, primary_key=True),
    Column("pause_ms", Float),  # a moving average; none was heard yet
    Column("silence_ms", Integer, nullable=False),  # asked for when a session was opened last
    Column("changed_at", Moment, nullable=False),
)
