"""Threads know how far they are and whether they are finalized; turns have their fields; sessions outlive a process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("threads") as threads:
        threads.add_column(sa.Column("guest", sa.Boolean, nullable=False, server_default=sa.false()))
        threads.add_column(sa.Column("active_at", _MOMENT))
        for count in ("turn_count", "message_count", "closed_turns"):
            threads.add_column(sa.Column(count, sa.Integer, nullable=False, server_default="0"))
        threads.add_column(sa.Column("served_by", sa.String))
        threads.add_column(sa.Column("finalization", sa.String, nullable=False, server_default="idle"))
        threads.add_column(sa.Column("finalized_at", _MOMENT))
        threads.add_column(sa.Column("failure", sa.String))
        threads.add_column(sa.Column("claim", sa.String))
        threads.add_column(sa.Column("claimed_until", _MOMENT))
    with op.batch_alter_table("turns") as turns:
        turns.add_column(sa.Column("session_id", sa.String))
        turns.add_column(sa.Column("channel", sa.String, nullable=False, server_default="voice"))
        turns.add_column(sa.Column("transcript_kept", sa.Boolean, nullable=False, server_default=sa.true()))
        turns.add_column(sa.Column("route", sa.String, nullable=False, server_default="therapeutic"))
        turns.add_column(sa.Column("response_style", sa.String))
        turns.add_column(sa.Column("grounded_lookup", sa.JSON))
    _fill()
    with op.batch_alter_table("threads") as threads:
        threads.alter_column("active_at", existing_type=_MOMENT, nullable=False)
    op.create_index("ix_threads_finalization_active_at", "threads", ["finalization", "active_at"])
    op.create_table(
        "sessions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("token_hash", sa.String, nullable=False, unique=True),
        sa.Column("thread_id", sa.String, nullable=False),
        sa.Column("user_id", sa.String),
        sa.Column("language", sa.String),
        sa.Column("save_transcript", sa.Boolean, nullable=False),
        sa.Column("opened_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_sessions_thread_id", "sessions", ["thread_id"])
    op.create_index("ix_sessions_opened_at", "sessions", ["opened_at"])


def _fill() -> None:
    """Say of what is there already what the new columns say."""
    threads = sa.table(
        "threads",
        *map(sa.column, ("id", "owner", "created_at", "guest", "active_at", "turn_count", "message_count")),
        *map(sa.column, ("closed_turns", "finalization", "finalized_at")),
    )
    turns = sa.table(
        "turns",
        *map(sa.column, ("thread_id", "number", "message_count", "created_at", "route", "response_style")),
        sa.column("diagnostics", sa.JSON),
    )
    arcs = sa.table("arcs", *map(sa.column, ("thread_id", "last_turn", "created_at")))

    def of_thread(value: sa.ColumnElement[object], table: sa.TableClause, default: object) -> sa.ColumnElement[object]:
        newest = sa.select(value).where(table.c.thread_id == threads.c.id).scalar_subquery()
        return sa.func.coalesce(newest, default)

    op.execute(
        threads.update().values(
            guest=threads.c.owner == threads.c.id,
            active_at=of_thread(sa.func.max(turns.c.created_at), turns, threads.c.created_at),
            turn_count=of_thread(sa.func.max(turns.c.number), turns, 0),
            message_count=of_thread(sa.func.max(turns.c.message_count), turns, 0),
            closed_turns=of_thread(sa.func.max(arcs.c.last_turn), arcs, 0),
            finalized_at=of_thread(sa.func.max(arcs.c.created_at), arcs, sa.null()),
        )
    )
    op.execute(
        threads.update()
        .where(threads.c.turn_count > 0, threads.c.turn_count == threads.c.closed_turns)
        .values(finalization="completed")
    )
    op.execute(
        turns.update().values(
            route=sa.func.coalesce(turns.c.diagnostics["route"].as_string(), "therapeutic"),
            response_style=turns.c.diagnostics["response_style"].as_string(),
        )
    )


def downgrade() -> None:
    op.drop_table("sessions")
    op.drop_index("ix_threads_finalization_active_at", "threads")
    with op.batch_alter_table("turns") as turns:
        for column in ("grounded_lookup", "response_style", "route", "transcript_kept", "channel", "session_id"):
            turns.drop_column(column)
    with op.batch_alter_table("threads") as threads:
        for column in ("claimed_until", "claim", "failure", "finalized_at", "finalization", "served_by"):
            threads.drop_column(column)
        for column in ("closed_turns", "message_count", "turn_count", "active_at", "guest"):
            threads.drop_column(column)
