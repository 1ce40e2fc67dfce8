"""get_crisis_support_template: how to speak with somebody in danger.

Law: where the model believes the user to be changes nothing: a line comes from this turn's lookup, or there is none.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from couchvoice.backend.crisis.template import RiskLevel, support
from couchvoice.backend.tools.definition import ToolContext, tool

MAX_PLACE = 100  # characters


@tool
async def get_crisis_support_template(
    context: ToolContext,
    risk_level: RiskLevel,
    inferred_location: Annotated[str, Field(max_length=MAX_PLACE)] | None = None,
) -> dict[str, Any]:
    """Get the words for somebody who may come to harm. Call lookup_crisis_resources before it, in the same turn.

    Args:
        risk_level: moderate for thoughts without a plan, high for a plan or means, imminent for danger now
        inferred_location: where the user said they are; lines are named only if they were looked up
    """
    return support(risk_level, context.crisis.of_this_turn(context))
