"""The tables of memory. The sessions' own, ``arcs``, stands among the talks; what is searched, in ``sql_search``."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table, Text

from couchvoice.backend.tables import Moment, metadata


def _layer(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True),
        Column("owner", String, nullable=False),
        Column("text", Text, nullable=False),
        Column("evidence", Text),  # the person's own words
        Column("thread_id", String),  # where they were said
        Column("slot", String),  # what only one record of an owner can say
        Column("mentions", Integer, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("updated_at", Moment, nullable=False),
        Column("deleted_at", Moment),
        Column("merged_into", Integer),  # deleted because another one says the same
        Index(f"ix_{name}_owner_deleted_at", "owner", "deleted_at"),
        Index(f"ix_{name}_deleted_at", "deleted_at"),
        sqlite_autoincrement=True,  # an id that was deleted for good is never another record's
    )


facts = _layer("facts")
rules = _layer("rules")

candidates = Table(
    "candidates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner", String, nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("thread_id", String, nullable=False),
    Column("slot", String),
    Column("repeated", Integer, nullable=False),  # how often it must be said to be kept
    Column("repetition_only", Boolean, nullable=False),
    Column("mentions", Integer, nullable=False),
    Column("seen_at", Moment, nullable=False, index=True),
    sqlite_autoincrement=True,
)

pending_deletions = Table(
    "pending_deletions",
    metadata,
    Column("owner", String, primary_key=True),
    Column("thread_id", String, primary_key=True),
    Column("targets", JSON, nullable=False),  # names of records, as "fact-12"
    Column("expires_at", Moment, nullable=False, index=True),
)

recall_switches = Table(
    "recall_switches",
    metadata,
    Column("owner", String, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),
)
