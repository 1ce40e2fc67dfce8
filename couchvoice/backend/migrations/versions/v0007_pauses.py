"""How long a person pauses within a thought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "user_pauses",
        sa.Column("owner", sa.String, primary_key=True),
        sa.Column("pause_ms", sa.Float),
        sa.Column("silence_ms", sa.Integer, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("user_pauses")
