"""The reference backend: mints secrets, runs tools, keeps turns. Never touches audio."""

from couchvoice.backend.app import create_app
from couchvoice.backend.guards import guards_from
from couchvoice.backend.sql_store import SqlStore

__all__ = ["SqlStore", "create_app", "guards_from"]
