"""give_session_feedback: how the person found the talk, asked and answered by voice, where the settings ask for it."""

from __future__ import annotations

from typing import Any

from couchvoice.backend.tools.definition import ToolContext, tool
from couchvoice.contract import Feedback


@tool(side_effect="feedback", retry_safe=True)
async def give_session_feedback(feedback: Feedback, context: ToolContext) -> dict[str, Any]:
    """Keep how the person found this talk. Call it once, with what they answered when you asked before the goodbye.

    Args:
        feedback: positive, negative, or skip when they did not want to say
    """
    await context.give_feedback(feedback)
    return {"feedback": feedback, "response_text": "Thank you for telling me. Goodbye, and take care."}
