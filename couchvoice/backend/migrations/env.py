"""What alembic runs for every command: it migrates on the connection that it is given, in one transaction."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
if connection.dialect.name == "sqlite":
    # Python's sqlite3 opens no transaction for DDL: without this a crash leaves half the tables, and two processes
    # that start at once both create them.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
