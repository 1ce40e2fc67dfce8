"""The tools that read memory: show_saved_memory, recall_saved_memory. Neither changes anything.

Law: numbers are those under which a record can be deleted; what is spoken of it is little, what is shown is more, and
the whole list is for screens (``GET /api/memory/…``).
"""

from __future__ import annotations

from typing import Any

from couchvoice.backend.memory.records import Kind, Record
from couchvoice.backend.store import Store
from couchvoice.backend.tools.definition import ToolContext, tool
from couchvoice.backend.tools.show_memory_status import number

SHOWN = 10  # of each kind, the newest
SPOKEN = 3  # of each kind
RESULTS = 5
MAX_RESULTS = 10
MAX_SNIPPET = 300  # characters

_ENDS = (".", "!", "?", "\N{RIGHT DOUBLE QUOTATION MARK}")


@tool(modes={"persistent"})
async def show_saved_memory(context: ToolContext) -> dict[str, Any]:
    """List what is remembered of the person, with numbers. Only when they ask to hear, check or delete it."""
    store = kept_in(context)
    records = store.memory.records
    counts = await records.counts(context.owner)
    totals = {Kind.FACT: counts.facts, Kind.SESSION: counts.sessions, Kind.RULE: counts.rules}
    shown = {kind: await records.newest(context.owner, kind, limit=SHOWN) for kind in Kind}
    told = [_told(kind, shown[kind], totals[kind]) for kind in Kind if shown[kind]]
    return {
        **{f"{kind}s": [{"index": record.index, "text": _snippet(record)} for record in shown[kind]] for kind in Kind},
        "totals": {f"{kind}s": totals[kind] for kind in Kind},
        "response_text": " ".join(told) or "I have nothing saved about you.",
    }


@tool(modes={"persistent"})
async def recall_saved_memory(context: ToolContext, query: str, limit: int = RESULTS) -> dict[str, Any]:
    """Look up what is remembered about something. Say only what it found.

    Args:
        query: what to look for, in a few words
        limit: at most so many results, 1 to 10
    """
    store = kept_in(context)
    if not query.strip():
        return refused("empty_query", "What should I look for?")
    if not await store.memory.recall.is_on(context.owner):
        return refused(
            "proactive_recall_disabled", "Recalling earlier talks is switched off. You can ask me to switch it on."
        )
    most = min(max(limit, 1), MAX_RESULTS)
    found = await store.memory.search.any_word(context.owner, query, limit=most)
    return {
        "results": [{"snippet": _snippet(record), "kind": record.id.kind} for record in found],
        "result_count": len(found),
        "response_text": _recalled(found),
    }


def kept_in(context: ToolContext) -> Store:
    assert context.store is not None  # the registry gives these tools to persistent talks only
    return context.store


def refused(reason: str, response_text: str) -> dict[str, Any]:
    return {"refused": True, "reason": reason, "response_text": response_text}


def _recalled(found: list[Record]) -> str:
    if not found:
        return "I have nothing saved about that."
    return "From earlier: " + " ".join(_sentence(record) for record in found[:SPOKEN])


def _snippet(record: Record) -> str:
    return record.text[:MAX_SNIPPET]


def _sentence(record: Record) -> str:
    text = _snippet(record)
    return text if text.endswith(_ENDS) else f"{text}."


def _told(kind: Kind, shown: list[Record], total: int) -> str:
    last = shown[-SPOKEN:]
    which = "" if len(last) == total else f"; the last {len(last)}"
    listed = " ".join(f"{record.index}: {_sentence(record)}" for record in last)
    return f"{number(total, kind)}{which}. {listed}"
