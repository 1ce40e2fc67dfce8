"""show_memory_status: what is kept about the person who is speaking, in numbers."""

from __future__ import annotations

from typing import Any

from couchvoice.backend.tools.definition import ToolContext, tool

_INCOGNITO_TEXT = "This talk is incognito. Nothing of it is kept, and nothing that was kept before is used."
_RECALL = {True: "I may bring up what I know.", False: "I bring nothing up unasked."}


@tool
async def show_memory_status(context: ToolContext) -> dict[str, Any]:
    """Tell whether this talk is remembered and how much is kept. For questions about memory or privacy."""
    if context.store is None:
        return {"memory_mode": "incognito", "response_text": _INCOGNITO_TEXT}
    counts = await context.store.turns.counts(context.owner)
    memory = context.store.memory
    known = await memory.records.counts(context.owner)
    recall = await memory.recall.is_on(context.owner)
    kept = f"{number(counts.sessions, 'finished session')} and {number(counts.turns, 'turn')}"
    learnt = [number(count, noun) for count, noun in ((known.facts, "fact"), (known.rules, "rule")) if count]
    return {
        "memory_mode": "persistent",
        "saved_sessions": counts.sessions,
        "saved_turns": counts.turns,
        "proactive_recall_enabled": recall,
        "saved_facts": known.facts,
        "saved_rules": known.rules,
        "response_text": f"Memory is on for this talk. Kept so far: {', '.join([kept, *learnt])}. {_RECALL[recall]}",
    }


def number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
