"""wait_for_user: the model's way to say nothing."""

from __future__ import annotations

from typing import Any

from couchvoice.backend.tools.registry import Tool, ToolArguments, ToolContext


async def _run(_: ToolArguments, __: ToolContext) -> dict[str, Any]:
    return {"response_text": "", "should_respond": False}


WAIT_FOR_USER = Tool(
    name="wait_for_user",
    description="Stay silent. For silence, noise, a television, or speech that is not meant for you.",
    arguments=ToolArguments,
    side_effect="none",
    retry_safe=True,
    run=_run,
)
