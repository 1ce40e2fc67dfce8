"""load_therapeutic_response_skill: how to answer well in a style."""

from __future__ import annotations

from typing import Any

from couchvoice.backend.approaches import Approach
from couchvoice.backend.skills import ResponseStyle, skill_context
from couchvoice.backend.tools.definition import tool


@tool(private={"skill_context"})
async def load_therapeutic_response_skill(
    response_style: ResponseStyle, therapeutic_approach: Approach | None = None
) -> dict[str, Any]:
    """Read how to answer well in a style, before you answer. Call it when something weighty was said and your own
    manner does not suffice; never in danger, where the crisis tools come first.

    Args:
        response_style: supportive (be there), reflective (mirror), clarifying (understand), psychoeducation (explain),
            closing (come to an end), technique (do something)
        therapeutic_approach: what the answer should lean on, if the person wants that
    """
    return {
        "response_style": response_style,
        "therapeutic_approach": therapeutic_approach,
        "skill_context": skill_context(response_style, therapeutic_approach),
        "response_instruction": "Answer now as this says. It is for you: never read it out, never name it.",
    }
