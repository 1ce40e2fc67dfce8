"""The tools with which a person deletes what is remembered: prepared first, read back, then confirmed or cancelled.

Law: nothing is prepared that the user has not asked for, and nothing deleted but exactly what was prepared; what is
pending outlives the call, and the process, but not PENDING_LIFETIME.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from couchvoice.backend.memory.records import RESTORABLE, Kind, Record
from couchvoice.backend.refusals import Refused
from couchvoice.backend.store import Store
from couchvoice.backend.tools.definition import ToolContext, tool
from couchvoice.backend.tools.intent import not_asked_for
from couchvoice.backend.tools.saved_memory import MAX_SNIPPET, kept_in, refused

CHOICES = 5

_PENDING = "memory_pending"  # the side effect: nothing is deleted yet


@tool(modes={"persistent"}, side_effect=_PENDING, retry_safe=True)
async def prepare_memory_deletion_by_index(
    context: ToolContext, target_kind: Literal["fact", "session", "rule"], target_index: int, user_quote: str
) -> dict[str, Any]:
    """Prepare the deletion of one memory by its number. Then read it back and ask; it is not deleted yet.

    Args:
        target_kind: what kind of memory it is
        target_index: its number as it was shown, from 1
        user_quote: the words with which they asked for it, exactly as they said them
    """
    store = kept_in(context)
    if (refusal := await not_asked_for(user_quote, context, store)) is not None:
        return refusal
    try:
        record = await store.memory.records.at(context.owner, Kind(target_kind), target_index)
    except Refused:
        return refused("no_such_memory", f"There is no {target_kind} with this number.")
    return await _prepared(store, context, record)


@tool(modes={"persistent"}, side_effect=_PENDING, retry_safe=True)
async def prepare_memory_deletion_by_query(context: ToolContext, query: str, user_quote: str) -> dict[str, Any]:
    """Prepare the deletion of a memory by what it is about. Then read it back and ask; it is not deleted yet.

    When several fit, nothing is prepared: let the person choose one by its number, and call
    prepare_memory_deletion_by_index.

    Args:
        query: what it is about, in a few words
        user_quote: the words with which they asked for it, exactly as they said them
    """
    store = kept_in(context)
    if (refusal := await not_asked_for(user_quote, context, store)) is not None:
        return refusal
    search = store.memory.search
    found = await search.every_word(context.owner, query, limit=CHOICES)
    found = found or await search.any_word(context.owner, query, limit=CHOICES)
    if not found:
        return refused("nothing_found", "I have nothing saved about that.")
    if len(found) == 1:
        return await _prepared(store, context, found[0])
    choices = [await _choice(store, context, record) for record in found]
    listed = "; ".join(f"{choice['target_kind']} {choice['target_index']}: {choice['text']}" for choice in choices)
    return {"pending": False, "choices": choices, "response_text": f"Which one do you mean? {listed}"}


@tool(modes={"persistent"}, side_effect="memory", retry_safe=False)
async def confirm_memory_deletion(context: ToolContext) -> dict[str, Any]:
    """Delete what was prepared. Only after the person has heard what it is and has said yes."""
    confirmed = await kept_in(context).memory.pending.confirm(context.owner, context.thread_id, now=datetime.now(UTC))
    if confirmed.expired:
        return refused(
            "pending_deletion_expired", "That was too long ago, nothing was deleted. Tell me again which one."
        )
    if not confirmed.deleted:
        return refused("nothing_pending", "There is nothing waiting to be deleted.")
    return {
        "deleted": [{"id": str(record.id), "kind": record.id.kind} for record in confirmed.deleted],
        "response_text": f"It is deleted. For {RESTORABLE.days} days it can still be had back.",
    }


@tool(modes={"persistent"}, side_effect=_PENDING, retry_safe=True)
async def cancel_memory_deletion(context: ToolContext) -> dict[str, Any]:
    """Leave what was prepared undeleted. When the person changes their mind or says no."""
    cancelled = await kept_in(context).memory.pending.cancel(context.owner, context.thread_id)
    text = "Nothing was deleted." if cancelled else "There was nothing waiting to be deleted."
    return {"cancelled": cancelled, "response_text": text}


async def _prepared(store: Store, context: ToolContext, record: Record) -> dict[str, Any]:
    await store.memory.pending.prepare(context.owner, context.thread_id, [record], now=datetime.now(UTC))
    return {
        "pending": True,
        "target": {"id": str(record.id), "kind": record.id.kind, "text": record.text[:MAX_SNIPPET]},
        "response_text": f"Shall I delete this {record.id.kind}: {record.text[:MAX_SNIPPET].rstrip('.')}?",
    }


async def _choice(store: Store, context: ToolContext, record: Record) -> dict[str, Any]:
    return {
        "target_kind": record.id.kind,
        "target_index": await store.memory.records.index_of(context.owner, record.id),
        "text": record.text[:MAX_SNIPPET],
    }
