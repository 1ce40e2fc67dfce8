"""The threads that a backend keeps, over HTTP: list, read, finalize, delete.

Not a talk. Law: as every call of the backend, it raises BackendError and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from couchvoice.addresses import require_safe_url
from couchvoice.client.exchange import exchange
from couchvoice.contract import (
    END,
    HISTORY,
    STATUS,
    THREADS_PATH,
    DeletedReply,
    EndReply,
    Feedback,
    HistoryReply,
    ThreadReply,
    ThreadsReply,
)
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient

TIMEOUT = 10.0  # seconds
END_TIMEOUT = 30.0  # seconds; a backend may write a summary

_Reply = TypeVar("_Reply", bound=BaseModel)


class HttpThreads:
    """Those of ``user_id``; None: those without a user, or of the user whom ``token`` names."""

    def __init__(
        self, base_url: str, *, http: HttpClient, user_id: str | None = None, token: Private | None = None
    ) -> None:
        self._base_url = require_safe_url(base_url)
        self._http = http
        self._user = {"user_id": user_id} if user_id is not None else {}
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.reveal()}"

    async def listed(self, *, limit: int, before: str | None = None) -> ThreadsReply:
        """Newest first. ``before``: the ``next`` of the page before."""
        query = {"limit": str(limit)} | ({"before": before} if before is not None else {})
        return await self._send("GET", THREADS_PATH, ThreadsReply, query)

    async def history(self, thread_id: str, *, limit: int, after: int = 0) -> HistoryReply:
        """Oldest first, from the turn that follows number ``after``."""
        path = f"{_path(thread_id)}/{HISTORY}"
        return await self._send("GET", path, HistoryReply, {"limit": str(limit), "after": str(after)})

    async def status(self, thread_id: str) -> ThreadReply:
        return await self._send("GET", f"{_path(thread_id)}/{STATUS}", ThreadReply)

    async def end(self, thread_id: str, *, feedback: Feedback | None = None) -> EndReply:
        """Finalize what is open, also after that failed."""
        query = {"feedback": feedback} if feedback is not None else {}
        return await self._send("POST", f"{_path(thread_id)}/{END}", EndReply, query, within=END_TIMEOUT)

    async def delete(self, thread_id: str) -> DeletedReply:
        return await self._send("DELETE", _path(thread_id), DeletedReply)

    async def erase(self) -> DeletedReply:
        """All of them. A backend that believes its callers wants a user."""
        return await self._send("DELETE", THREADS_PATH, DeletedReply)

    async def _send(
        self,
        method: str,
        path: str,
        expect: type[_Reply],
        query: Mapping[str, str] = MappingProxyType({}),
        *,
        within: float = TIMEOUT,
    ) -> _Reply:
        asked = urlencode({**query, **self._user})
        target = f"{path}?{asked}" if asked else path
        return await exchange(self._http, method, self._base_url, target, None, self._headers, expect, within=within)


def _path(thread_id: str) -> str:
    return f"{THREADS_PATH}/{quote(thread_id, safe='')}"
