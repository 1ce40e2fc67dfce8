"""The reference backend: mints secrets, runs tools, keeps turns. Never touches audio."""

from couchvoice.backend.app import create_app
from couchvoice.backend.guards import guards_from
from couchvoice.backend.sql_store import SqlStore
from couchvoice.backend.tools import Tool, ToolContext, tool

__all__ = ["SqlStore", "Tool", "ToolContext", "create_app", "guards_from", "tool"]
