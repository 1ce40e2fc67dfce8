"""A tool of the agent: when the library is open."""

from typing import Annotated, Any, Literal

from pydantic import Field

from couchvoice.backend import tool

HOURS = {"monday": "ten to six", "saturday": "ten to two"}


@tool
def opening_hours(day: Annotated[Literal["monday", "saturday", "sunday"], Field(description="in lower case")]) -> Any:
    """When the library is open. Call it before you name any hour."""
    hours = HOURS.get(day)
    told = f"On {day} we are open from {hours}." if hours else f"On {day} we are closed."
    return {"day": day, "open": hours is not None, "response_text": told}
