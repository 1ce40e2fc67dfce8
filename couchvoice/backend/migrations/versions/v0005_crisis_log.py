"""That there was a crisis, what was done, and what the audit found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "crisis_log",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thread_id", sa.String, sa.ForeignKey("threads.id"), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("session_id", sa.String),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("tools", sa.JSON, nullable=False),
        sa.Column("lookup_status", sa.String),
        sa.Column("risk_level", sa.String),
        sa.Column("numbers", sa.Integer, nullable=False),
        sa.Column("judged_by", sa.String),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("thread_id", "turn", "kind", name="uq_crisis_log_thread_id_turn_kind"),
    )
    op.create_index("ix_crisis_log_created_at", "crisis_log", ["created_at"])


def downgrade() -> None:
    op.drop_table("crisis_log")
