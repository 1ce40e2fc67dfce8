"""What alembic runs for every command: it migrates on the connection that it is given, in one transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

_LOCK = 0x636F7563  # any number that no other program on this database takes

connection: Connection = context.config.attributes["connection"]
# Two processes that start at once would both create the tables.
if connection.dialect.name == "sqlite":
    # Python's sqlite3 opens no transaction for DDL: without this a crash leaves half of the tables, too.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
else:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
