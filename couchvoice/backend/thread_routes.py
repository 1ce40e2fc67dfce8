"""The threads of an owner: list, read, finalize, delete. What a text surface reads is what was spoken here.

Law: a thread is looked up by its owner and its id together; another's is 404, as one that is not there. Without
authentication the owner is ``user_id``, else the thread itself. Every list has a bound.
"""

from __future__ import annotations

import base64
import logging
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from couchvoice.backend.end_reply import end_reply
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.guard import CurrentCaller
from couchvoice.backend.refusals import INVALID_REQUEST, Refused, failing_as
from couchvoice.backend.store import KeptTurn, Place, Store, Thread
from couchvoice.backend.tables import SCHEMA_VERSION
from couchvoice.contract import (
    END,
    HISTORY,
    STATUS,
    THREADS_PATH,
    DeletedReply,
    EndReply,
    Feedback,
    HistoryReply,
    KeptTurnReply,
    Message,
    Name,
    ThreadId,
    ThreadReply,
    ThreadsReply,
)

MAX_PAGE = 200
PAGE = 50

# "path": a thread's id may hold a slash.
_THREAD = f"{THREADS_PATH}/{{thread_id:path}}"

_Thread = Annotated[ThreadId, Path()]
_User = Annotated[Name | None, Query(description="Whose. With authentication: the token's, leave it out.")]
_Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]

_log = logging.getLogger("couchvoice.backend")


class ThreadEndpoints:
    def __init__(self, *, store: Store, finalizer: Finalizer) -> None:
        self._store = store
        self._finalizer = finalizer
        self.router = APIRouter()
        for path, method, endpoint in (
            (THREADS_PATH, "GET", self.listed),
            (THREADS_PATH, "DELETE", self.erase),
            (f"{_THREAD}/{HISTORY}", "GET", self.history),
            (f"{_THREAD}/{STATUS}", "GET", self.status),
            (f"{_THREAD}/{END}", "POST", self.end),
            (_THREAD, "DELETE", self.delete),
        ):
            self.router.add_api_route(path, endpoint, methods=[method])

    async def listed(
        self,
        caller: CurrentCaller,
        user_id: _User = None,
        thread_id: ThreadId | None = None,
        before: Annotated[str | None, Query(description="The ``next`` of the page before.")] = None,
        limit: _Limit = PAGE,
    ) -> ThreadsReply:
        """An owner's threads. Without authentication and without a user: all that have no user, or one of them."""
        with failing_as("threads_failed", "the threads could not be listed"):
            owner = caller.user(user_id) or thread_id
            place = _place(before) if before is not None else None
            # One more than is shown tells whether there are more.
            found = await self._store.threads.listed(owner, before=place, limit=limit + 1)
            shown = found[:limit]
            return ThreadsReply(
                threads=[_thread_reply(thread) for thread in shown],
                next=_cursor(shown[-1]) if len(found) > limit else None,
            )

    async def history(
        self,
        caller: CurrentCaller,
        thread_id: _Thread,
        user_id: _User = None,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The number of the last turn known.")] = 0,
        limit: _Limit = PAGE,
    ) -> HistoryReply:
        with failing_as("history_failed", "the history could not be read"):
            owner = caller.owner(user_id=user_id, thread_id=thread_id)
            thread = await self._store.threads.find(thread_id, owner=owner)
            kept = await self._store.turns.history(thread_id, owner=owner, after=after, limit=limit)
            more = bool(kept) and kept[-1].number < thread.turn_count
            return HistoryReply(
                thread_id=thread_id,
                guest=thread.guest,
                schema_version=SCHEMA_VERSION,
                turn_count=thread.turn_count,
                turns=[_turn_reply(turn) for turn in kept],
                next=kept[-1].number if more else None,
            )

    async def status(self, caller: CurrentCaller, thread_id: _Thread, user_id: _User = None) -> ThreadReply:
        with failing_as("status_failed", "the status could not be read"):
            owner = caller.owner(user_id=user_id, thread_id=thread_id)
            found = await self._store.threads.find(thread_id, owner=owner)
            feedback = await self._store.feedback.last(thread_id, owner=owner)
            return _thread_reply(found).model_copy(update={"feedback": feedback})

    async def end(
        self, caller: CurrentCaller, thread_id: _Thread, user_id: _User = None, feedback: Feedback | None = None
    ) -> EndReply:
        """Finalize what is open, also after it failed. ``feedback``: how the talk was."""
        with failing_as("thread_end_failed", "the thread could not be finalized"):
            owner = caller.owner(user_id=user_id, thread_id=thread_id)
            await self._store.threads.find(thread_id, owner=owner)
            if feedback is not None:
                await self._store.feedback.keep(feedback, thread_id=thread_id, owner=owner, session_id=None)
            arc = await self._finalizer.finalize_when_free(thread_id, owner=owner, session_id=None)
            return end_reply(arc)

    async def delete(self, caller: CurrentCaller, thread_id: _Thread, user_id: _User = None) -> DeletedReply:
        with failing_as("delete_failed", "the thread could not be deleted"):
            owner = caller.owner(user_id=user_id, thread_id=thread_id)
            turns = await self._store.threads.delete(thread_id, owner=owner)
            _log.info("- thread deleted")
            return DeletedReply(threads=1, turns=turns)

    async def erase(
        self, caller: CurrentCaller, user_id: _User = None, thread_id: ThreadId | None = None
    ) -> DeletedReply:
        """Everything that is kept of an owner."""
        with failing_as("erase_failed", "the threads could not be erased"):
            owner = caller.user(user_id) or thread_id
            if owner is None:
                raise Refused(
                    HTTPStatus.UNPROCESSABLE_ENTITY, "owner_missing", "name whose threads: user_id, or thread_id"
                )
            gone = await self._store.threads.erase(owner)
            _log.info("- owner erased")
            return DeletedReply(threads=gone.threads, turns=gone.turns)


def _thread_reply(thread: Thread) -> ThreadReply:
    return ThreadReply(
        thread_id=thread.thread_id,
        guest=thread.guest,
        created_at=thread.created_at,
        active_at=thread.active_at,
        turn_count=thread.turn_count,
        message_count=thread.message_count,
        open_turns=thread.open_turns,
        finalization=thread.finalization.value,
        finalized_at=thread.finalized_at,
        failure=thread.failure,
    )


def _turn_reply(kept: KeptTurn) -> KeptTurnReply:
    turn = kept.turn
    messages = [
        Message(role="user", content=turn.user_text, source=turn.channel),
        Message(role="assistant", content=turn.assistant_text, source=turn.channel),
    ]
    return KeptTurnReply(
        number=kept.number,
        created_at=kept.created_at,
        session_id=turn.session_id,
        client_turn_id=turn.client_turn_id,
        channel=turn.channel,
        transcript_kept=turn.transcript_kept,
        messages=[message for message in messages if message.content],
        heard_text=turn.heard_text,
        outcome=turn.outcome,
        route=turn.route,
        response_style=turn.response_style,
        tool_calls=turn.tool_calls,
        grounded_lookup=turn.grounded_lookup,
        diagnostics={**turn.diagnostics, "timings": turn.timings},
    )


def _cursor(thread: Thread) -> str:
    return base64.urlsafe_b64encode(f"{thread.created_at.isoformat()} {thread.thread_id}".encode()).decode()


def _place(cursor: str) -> Place:
    try:
        began, _, thread_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        return datetime.fromisoformat(began), thread_id
    except ValueError:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, INVALID_REQUEST, "before: not the next of a page of threads"
        ) from None
