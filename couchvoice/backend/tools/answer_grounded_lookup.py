"""answer_grounded_lookup: an answer that rests on a page which one can look at, or none."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from couchvoice.backend.lookup.grounded import Grounds
from couchvoice.backend.lookup.passage import Passage
from couchvoice.backend.tools.definition import ToolContext, tool

MAX_QUERY = 400  # characters

_NOTHING = "I found nothing verified about that, so I would rather not guess."


@tool
async def answer_grounded_lookup(
    context: ToolContext, query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY, pattern=r"\S")]
) -> dict[str, Any]:
    """Look up current or official guidance on health and wellbeing. Call it before you answer such a question.

    Args:
        query: the question in a few words, without names or anything else that tells who is asking
    """
    grounds = await context.grounded.find(query)
    return {
        "response_text": _text(grounds),
        "grounded_lookup": {
            "query": query,
            "status": grounds.status,
            "source": grounds.source,
            "citations": [_citation(passage) for passage in grounds.passages],
        },
    }


def _text(grounds: Grounds) -> str:
    if not grounds.passages:
        return _NOTHING
    best = grounds.passages[0]
    return f"{best.text} That is from {best.publisher}." if best.publisher else best.text


def _citation(passage: Passage) -> dict[str, Any]:
    return passage.model_dump(mode="json", exclude_none=True)
