"""wait_for_user: the model's way to say nothing."""

from __future__ import annotations

from typing import Any

from couchvoice.backend.tools.definition import tool


@tool
async def wait_for_user() -> dict[str, Any]:
    """Stay silent. For silence, noise, a television, or speech that is not meant for you."""
    return {"response_text": "", "should_respond": False}
