"""Memory: facts, rules, what is held, what is pending, who allows recall; and the words of it all, to be searched."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_MOMENT = sa.DateTime(timezone=True)
_SEARCH_ON_SQLITE = """
CREATE VIRTUAL TABLE memory_search USING fts5(owner, body, tokenize = 'porter unicode61 remove_diacritics 2')
"""
_SEARCH_ON_POSTGRESQL = (
    "CREATE TABLE memory_search (place BIGINT PRIMARY KEY, owner VARCHAR NOT NULL, document TSVECTOR NOT NULL)",
    "CREATE INDEX ix_memory_search_owner ON memory_search (owner)",
    "CREATE INDEX ix_memory_search_document ON memory_search USING gin (document)",
)
# A record's place is its id times LAYERS and its layer's number: facts 0, sessions 1, rules 2.
_LAYERS, _SESSIONS = 3, 1


def upgrade() -> None:
    with op.batch_alter_table("arcs") as altered:
        altered.add_column(sa.Column("owner", sa.String))
        altered.add_column(sa.Column("deleted_at", _MOMENT))
    arcs, threads = (sa.table(name, *map(sa.column, names)) for name, names in _OLD.items())
    of_thread = sa.select(threads.c.owner).where(threads.c.id == arcs.c.thread_id).scalar_subquery()
    op.execute(arcs.update().values(owner=of_thread))
    with op.batch_alter_table("arcs") as altered:
        altered.alter_column("owner", existing_type=sa.String(), nullable=False)
        altered.create_index("ix_arcs_owner_deleted_at", ["owner", "deleted_at"])
    for layer in ("facts", "rules"):
        _create_layer(layer)
    _create_candidates()
    op.create_table(
        "pending_deletions",
        sa.Column("owner", sa.String, primary_key=True),
        sa.Column("thread_id", sa.String, primary_key=True),
        sa.Column("targets", sa.JSON, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_pending_deletions_expires_at", "pending_deletions", ["expires_at"])
    op.create_table(
        "recall_switches",
        sa.Column("owner", sa.String, primary_key=True),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
    )
    _create_search(arcs)


_OLD = {
    "arcs": ("id", "thread_id", "owner", "summary", "primary_themes", "open_loops", "resolved_threads"),
    "threads": ("id", "owner"),
}


def _create_layer(name: str) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text),
        sa.Column("thread_id", sa.String),
        sa.Column("slot", sa.String),
        sa.Column("mentions", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("deleted_at", _MOMENT),
        sa.Column("merged_into", sa.Integer),
        sqlite_autoincrement=True,
    )
    op.create_index(f"ix_{name}_owner_deleted_at", name, ["owner", "deleted_at"])
    op.create_index(f"ix_{name}_deleted_at", name, ["deleted_at"])


def _create_candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("thread_id", sa.String, nullable=False),
        sa.Column("slot", sa.String),
        sa.Column("repeated", sa.Integer, nullable=False),
        sa.Column("repetition_only", sa.Boolean, nullable=False),
        sa.Column("mentions", sa.Integer, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_candidates_owner", "candidates", ["owner"])
    op.create_index("ix_candidates_seen_at", "candidates", ["seen_at"])


def _create_search(arcs: sa.TableClause) -> None:
    """With the sessions that were kept before."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.execute(_SEARCH_ON_SQLITE)
        insert = sa.text("INSERT INTO memory_search (rowid, owner, body) VALUES (:place, :token, :body)")
    else:
        for statement in _SEARCH_ON_POSTGRESQL:
            op.execute(statement)
        insert = sa.text(
            "INSERT INTO memory_search (place, owner, document) VALUES (:place, :owner, to_tsvector('english', :body))"
        )
    for row in connection.execute(sa.select(arcs)).mappings().all():
        # The core sa.table knows no types: what is JSON comes as text from SQLite, as a list from PostgreSQL.
        lists = [row["primary_themes"], row["open_loops"], row["resolved_threads"]]
        said = [text for found in lists for text in (json.loads(found) if isinstance(found, str) else found)]
        connection.execute(
            insert,
            {
                "place": row["id"] * _LAYERS + _SESSIONS,
                "owner": row["owner"],
                "token": f"o{hashlib.sha256(row['owner'].encode()).hexdigest()[:32]}",
                "body": _normal(" ".join([row["summary"], *said])),
            },
        )


def _normal(text: str) -> str:
    """As memory/words.py had it when this was written."""
    plain = unicodedata.normalize("NFKD", re.sub("['\u2019\u02bc`]", "", text).casefold())
    return " ".join(re.findall(r"[^\W_]+", "".join(letter for letter in plain if not unicodedata.combining(letter))))


def downgrade() -> None:
    for table in ("memory_search", "recall_switches", "pending_deletions", "candidates", "rules", "facts"):
        op.drop_table(table)
    with op.batch_alter_table("arcs") as arcs:
        arcs.drop_index("ix_arcs_owner_deleted_at")
        arcs.drop_column("deleted_at")
        arcs.drop_column("owner")
