"""What a backend remembers of a person, over HTTP: how much, what, and how it goes away and comes back.

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
    MEMORY_DELETED_PATH,
    MEMORY_EXPORT_PATH,
    MEMORY_PATH,
    MEMORY_RECALL_PATH,
    MEMORY_STATUS_PATH,
    RESTORE,
    MemoryExportReply,
    MemoryListReply,
    MemoryRecord,
    MemoryStatusReply,
    RecallReply,
    RecallRequest,
)
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient

TIMEOUT = 10.0  # seconds

_Reply = TypeVar("_Reply", bound=BaseModel)


class HttpMemory:
    """That of ``user_id``, else of ``thread_id``; None: of the user whom ``token`` names."""

    def __init__(
        self,
        base_url: str,
        *,
        http: HttpClient,
        user_id: str | None = None,
        thread_id: str | None = None,
        token: Private | None = None,
    ) -> None:
        self._base_url = require_safe_url(base_url)
        self._http = http
        whose = {"user_id": user_id, "thread_id": thread_id}
        self._whose = {name: value for name, value in whose.items() if value is not None}
        self._headers = {"Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.reveal()}"

    async def status(self) -> MemoryStatusReply:
        return await self._send("GET", MEMORY_STATUS_PATH, MemoryStatusReply)

    async def listed(self, kind: str, *, limit: int, after: int = 0) -> MemoryListReply:
        """Of facts, sessions or rules: the oldest first, from the record that follows number ``after``."""
        return await self._send(
            "GET", f"{MEMORY_PATH}/{kind}", MemoryListReply, {"limit": str(limit), "after": str(after)}
        )

    async def deleted(self, *, limit: int) -> MemoryListReply:
        return await self._send("GET", MEMORY_DELETED_PATH, MemoryListReply, {"limit": str(limit)})

    async def recall(self, *, enabled: bool) -> RecallReply:
        """Whether it may be brought up unasked."""
        body = RecallRequest(enabled=enabled).model_dump_json().encode()
        return await self._send("PATCH", MEMORY_RECALL_PATH, RecallReply, body=body)

    async def forget(self, kind: str, index: int) -> MemoryRecord:
        return await self._send("DELETE", f"{MEMORY_PATH}/{kind}/{index}", MemoryRecord)

    async def restore(self, record_id: str) -> MemoryRecord:
        return await self._send("POST", f"{MEMORY_PATH}/{quote(record_id, safe='')}/{RESTORE}", MemoryRecord)

    async def export(self) -> MemoryExportReply:
        return await self._send("GET", MEMORY_EXPORT_PATH, MemoryExportReply)

    async def _send(
        self,
        method: str,
        path: str,
        expect: type[_Reply],
        query: Mapping[str, str] = MappingProxyType({}),
        *,
        body: bytes | None = None,
    ) -> _Reply:
        asked = urlencode({**query, **self._whose})
        target = f"{path}?{asked}" if asked else path
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        return await exchange(self._http, method, self._base_url, target, body, headers, expect, within=TIMEOUT)
