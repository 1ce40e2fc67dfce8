"""What is remembered of an owner, for screens: status, lists, deletion by number, restoring, export.

Law: as with threads, who asks sees and changes what is theirs, and anything else is not there. Numbers are those of the
lists, the oldest first: what is new changes none of them. Every list has a bound.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from couchvoice.backend.guard import Caller, CurrentCaller
from couchvoice.backend.memory.records import Kind, Record, read_record_id
from couchvoice.backend.refusals import Refused, failing_as
from couchvoice.backend.store import Store
from couchvoice.contract import (
    MEMORY_DELETED_PATH,
    MEMORY_EXPORT_PATH,
    MEMORY_PATH,
    MEMORY_RECALL_PATH,
    MEMORY_STATUS_PATH,
    RESTORE,
    MemoryExportReply,
    MemoryKind,
    MemoryListReply,
    MemoryRecord,
    MemoryStatusReply,
    Name,
    RecallReply,
    RecallRequest,
    ThreadId,
)

MAX_PAGE = 200
PAGE = 50
MAX_EXPORTED = 100_000  # of each kind

_KINDS: dict[MemoryKind, Kind] = {"facts": Kind.FACT, "sessions": Kind.SESSION, "rules": Kind.RULE}
_FAILED = ("memory_failed", "the memory could not be read or changed")

_User = Annotated[Name | None, Query(description="Whose. With authentication: the token's, leave it out.")]
_Thread = Annotated[ThreadId | None, Query(description="Whose, where there is no user.")]
_Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
_Index = Annotated[int, Path(ge=1, le=2**31 - 1, description="As displayed, from 1.")]

_log = logging.getLogger("couchvoice.backend")


class MemoryEndpoints:
    def __init__(self, *, store: Store) -> None:
        self._store = store
        self.router = APIRouter()
        for path, method, endpoint in (
            (MEMORY_STATUS_PATH, "GET", self.status),
            (MEMORY_RECALL_PATH, "PATCH", self.recall),
            (MEMORY_DELETED_PATH, "GET", self.deleted),
            (MEMORY_EXPORT_PATH, "GET", self.export),
            (f"{MEMORY_PATH}/{{kind}}", "GET", self.listed),
            (f"{MEMORY_PATH}/{{kind}}/{{index}}", "DELETE", self.delete),
            (f"{MEMORY_PATH}/{{record_id}}/{RESTORE}", "POST", self.restore),
        ):
            self.router.add_api_route(path, endpoint, methods=[method])

    async def status(
        self, caller: CurrentCaller, user_id: _User = None, thread_id: _Thread = None
    ) -> MemoryStatusReply:
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            counts = await self._store.memory.records.counts(owner)
            return MemoryStatusReply(
                recall_enabled=await self._store.memory.recall.is_on(owner),
                facts=counts.facts,
                sessions=counts.sessions,
                rules=counts.rules,
                held=counts.held,
            )

    async def recall(
        self, request: RecallRequest, caller: CurrentCaller, user_id: _User = None, thread_id: _Thread = None
    ) -> RecallReply:
        """Whether what is remembered may be brought up unasked, from the next session on."""
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            await self._store.memory.recall.turn(owner, on=request.enabled, now=datetime.now(UTC))
            return RecallReply(enabled=request.enabled)

    async def listed(
        self,
        caller: CurrentCaller,
        kind: MemoryKind,
        user_id: _User = None,
        thread_id: _Thread = None,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The last number that is known.")] = 0,
        limit: _Limit = PAGE,
    ) -> MemoryListReply:
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            # One more than is shown tells whether there are more.
            found = await self._store.memory.records.listed(owner, _KINDS[kind], after=after, limit=limit + 1)
            return MemoryListReply(
                entries=[*map(_reply, found[:limit])], next=found[limit - 1].index if len(found) > limit else None
            )

    async def deleted(
        self, caller: CurrentCaller, user_id: _User = None, thread_id: _Thread = None, limit: _Limit = PAGE
    ) -> MemoryListReply:
        """What can be had back, the last deleted first."""
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            return MemoryListReply(
                entries=[*map(_reply, await self._store.memory.deletions.deleted(owner, limit=limit))]
            )

    async def delete(
        self,
        caller: CurrentCaller,
        kind: MemoryKind,
        index: _Index,
        user_id: _User = None,
        thread_id: _Thread = None,
    ) -> MemoryRecord:
        """Answers what was deleted, and until when it can be had back."""
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            gone = await self._store.memory.deletions.delete_at(owner, _KINDS[kind], index, now=datetime.now(UTC))
            _log.info("- memory deleted")
            return _reply(gone)

    async def restore(
        self,
        caller: CurrentCaller,
        record_id: Annotated[Name, Path()],
        user_id: _User = None,
        thread_id: _Thread = None,
    ) -> MemoryRecord:
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            back = await self._store.memory.deletions.restore(owner, read_record_id(record_id), now=datetime.now(UTC))
            _log.info("- memory restored")
            return _reply(back)

    async def export(
        self, caller: CurrentCaller, user_id: _User = None, thread_id: _Thread = None
    ) -> MemoryExportReply:
        """All of it, also what can be had back."""
        with failing_as(*_FAILED):
            owner = _owner(caller, user_id, thread_id)
            memory = self._store.memory
            kept = {
                name: [*map(_reply, await memory.records.listed(owner, kind, after=0, limit=MAX_EXPORTED))]
                for name, kind in _KINDS.items()
            }
            return MemoryExportReply(
                recall_enabled=await memory.recall.is_on(owner),
                facts=kept["facts"],
                sessions=kept["sessions"],
                rules=kept["rules"],
                deleted=[*map(_reply, await memory.deletions.deleted(owner, limit=MAX_EXPORTED))],
            )


def _owner(caller: Caller, user_id: str | None, thread_id: str | None) -> str:
    owner = caller.user(user_id) or thread_id
    if owner is None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "owner_missing", "name whose memory: user_id, or thread_id")
    return owner


def _reply(record: Record) -> MemoryRecord:
    return MemoryRecord(
        id=str(record.id),
        index=record.index or None,
        text=record.text,
        evidence=record.evidence,
        thread_id=record.thread_id,
        mentions=record.mentions,
        created_at=record.created_at,
        deleted_at=record.deleted_at,
        restorable_until=record.restorable_until,
    )
