"""How a person found a talk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thread_id", sa.String, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("session_id", sa.String, nullable=False),
        sa.Column("feedback", sa.String, nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("thread_id", "owner", "session_id", name="uq_feedback_thread_id_owner_session_id"),
    )
    op.create_index("ix_feedback_owner", "feedback", ["owner"])
    op.create_index("ix_feedback_given_at", "feedback", ["given_at"])


def downgrade() -> None:
    op.drop_table("feedback")
