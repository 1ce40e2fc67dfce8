"""The gate before a tool that changes memory: has the user really said what the model says that they said?

The quote must stand in the message that is being answered, or in the last turns. Law: of turns that the server has
recorded its own record counts, whatever the call claims; a talk that is kept without its words has the call's.
"""

from __future__ import annotations

from typing import Any

from couchvoice.backend.memory.words import normal
from couchvoice.backend.store import Store
from couchvoice.backend.tools.definition import ToolContext

MIN_QUOTE = 8  # characters, without punctuation
LAST_TURNS = 3  # of the user
_LOOKED_AT = 12  # turns, in some of which the user may have said nothing

_NOT_SAID = {
    "refused": True,
    "reason": "user_intent_not_verified",
    "response_text": "I have not changed anything: I did not hear you ask for it. Tell me again what you would like.",
}


async def not_asked_for(quote: str, context: ToolContext, store: Store) -> dict[str, Any] | None:
    """The refusal, when the user has not said this. None: they have."""
    asked = normal(quote)
    if len(asked) < MIN_QUOTE:
        return _NOT_SAID
    message, *earlier = context.said or [""]
    said = [message, *await _last_said(earlier, message, context, store)]
    return None if any(asked in normal(text) for text in said) else _NOT_SAID


async def _last_said(earlier: list[str], message: str, context: ToolContext, store: Store) -> list[str]:
    """The newest first."""
    kept = await store.turns.recent(context.thread_id, owner=context.owner, limit=_LOOKED_AT)
    recorded = [recent.turn.user_text for recent in reversed(kept) if recent.turn.user_text.strip()]
    if not recorded and earlier and normal(earlier[0]) == normal(message):
        earlier = earlier[1:]  # some clients list what is being answered, too
    return [text for text in recorded or earlier if text.strip()][:LAST_TURNS]
