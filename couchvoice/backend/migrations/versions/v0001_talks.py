"""Threads, their turns, and one arc per finished session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "threads",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_threads_owner", "threads", ["owner"])
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thread_id", sa.String, sa.ForeignKey("threads.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("client_turn_id", sa.String),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("user_text", sa.Text, nullable=False),
        sa.Column("assistant_text", sa.Text, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("tool_calls", sa.JSON, nullable=False),
        sa.Column("heard_text", sa.Text),
        sa.Column("timings", sa.JSON, nullable=False),
        sa.Column("diagnostics", sa.JSON, nullable=False),
        sa.Column("message_count", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("thread_id", "number", name="uq_turns_thread_id_number"),
        sa.UniqueConstraint("thread_id", "client_turn_id", name="uq_turns_thread_id_client_turn_id"),
    )
    op.create_table(
        "arcs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thread_id", sa.String, sa.ForeignKey("threads.id"), nullable=False),
        sa.Column("session_id", sa.String),
        sa.Column("last_turn", sa.Integer, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("primary_themes", sa.JSON, nullable=False),
        sa.Column("mood_opened", sa.String, nullable=False),
        sa.Column("mood_closed", sa.String, nullable=False),
        sa.Column("turn_count", sa.Integer, nullable=False),
        sa.Column("open_loops", sa.JSON, nullable=False),
        sa.Column("resolved_threads", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("thread_id", "session_id", name="uq_arcs_thread_id_session_id"),
        sa.UniqueConstraint("thread_id", "last_turn", name="uq_arcs_thread_id_last_turn"),
    )


def downgrade() -> None:
    op.drop_table("arcs")
    op.drop_table("turns")
    op.drop_table("threads")
