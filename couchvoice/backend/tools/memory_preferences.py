"""The tools with which a person says how they want to be answered, and whether earlier talks may be brought up.

Law: nothing is kept that the user has not said; a rule that would leave out what keeps them safe is not kept at all.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from couchvoice.backend.memory.records import MAX_TEXT, Kind, Statement
from couchvoice.backend.memory.safety import holds_a_secret, skips_safety
from couchvoice.backend.memory.words import one_line
from couchvoice.backend.tools.definition import ToolContext, tool
from couchvoice.backend.tools.intent import not_asked_for
from couchvoice.backend.tools.saved_memory import kept_in, refused

_RECALL_IS = {
    True: "From the next talk on I may bring up what I know of you.",
    False: "I will bring nothing up unasked.",
}


@tool(modes={"persistent"}, side_effect="memory", retry_safe=False)
async def save_response_preference(context: ToolContext, preference_text: str, user_quote: str) -> dict[str, Any]:
    """Keep how the person wants to be answered from now on. Only when they have asked for it.

    Args:
        preference_text: the rule, as one short sentence
        user_quote: the words with which they asked for it, exactly as they said them
    """
    store = kept_in(context)
    rule = one_line(preference_text)
    if not rule:
        return refused("empty_preference", "How would you like me to answer?")
    if (refusal := await not_asked_for(user_quote, context, store)) is not None:
        return refusal
    if skips_safety(rule):
        return refused("would_skip_safety", "I can't promise that: I would leave out what keeps you safe.")
    if len(rule) > MAX_TEXT or holds_a_secret(rule):
        return refused("not_a_preference", "That is nothing that I keep as a preference.")
    statement = Statement(kind=Kind.RULE, text=rule, evidence=one_line(user_quote))
    kept = await store.memory.records.keep(context.owner, statement, thread_id=context.thread_id, now=datetime.now(UTC))
    return {"saved": True, "rule": kept.text, "index": kept.index, "response_text": "I will keep to that."}


@tool(modes={"persistent"}, side_effect="memory", retry_safe=True)
async def set_proactive_memory_recall(context: ToolContext, enabled: bool, user_quote: str) -> dict[str, Any]:
    """Switch on or off that earlier talks may be brought up. Only when the person has asked for it.

    Args:
        enabled: true: they may be
        user_quote: the words with which they asked for it, exactly as they said them
    """
    store = kept_in(context)
    if (refusal := await not_asked_for(user_quote, context, store)) is not None:
        return refusal
    await store.memory.recall.turn(context.owner, on=enabled, now=datetime.now(UTC))
    return {"proactive_recall_enabled": enabled, "response_text": _RECALL_IS[enabled]}
