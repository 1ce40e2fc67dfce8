"""lookup_crisis_resources: verified crisis lines for the country that the user named.

Law: it takes no parameter, so that the model cannot hand it a place; a dataset that cannot be read is said so.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from couchvoice.backend.crisis.places import Lookup, spoken
from couchvoice.backend.crisis.resources import Resource
from couchvoice.backend.tools.definition import ToolContext, tool

_DANGER = "If you are in danger now, call your local emergency number."
_ASK = "Which country are you in? Then I can look up a line that you can call."


@tool
async def lookup_crisis_resources(context: ToolContext) -> dict[str, Any]:
    """Look up verified crisis lines for the country that the user has named in their own words.

    Call it before naming any help line or number.
    """
    lookup = await context.crisis.look_up(context)
    return {
        "response_text": f"{_text(lookup)} {_DANGER}",
        "inferred_location": lookup.location,
        "found_resources": [asdict(resource) for resource in lookup.resources],
        "resource_lookup_status": lookup.status,
    }


def _text(lookup: Lookup) -> str:
    match lookup.status:
        case "found":
            return f"If you are in {spoken(lookup.location or '')}: {'; '.join(map(_line, lookup.resources))}."
        case "location_refused":
            return "You need not say where you are. Without a country I can't name a line."
        case "no_verified_results":
            return f"I have no verified line for {lookup.location}. If that is not the country, tell me which it is."
        case "lookup_error":
            return "I can't look up crisis lines right now."
        case _:
            return _ASK


def _line(resource: Resource) -> str:
    return f"{resource.name}, phone {resource.phone}"
