"""Which exercise a thread is in, and at which step."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "exercise_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("thread_id", sa.String, nullable=False),
        sa.Column("exercise_id", sa.String, nullable=False),
        sa.Column("approach", sa.String),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("items", sa.Integer, nullable=False),
        sa.Column("stuck", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_exercise_runs_owner_thread_id", "exercise_runs", ["owner", "thread_id"])
    op.create_index("ix_exercise_runs_thread_id", "exercise_runs", ["thread_id"])


def downgrade() -> None:
    op.drop_table("exercise_runs")
