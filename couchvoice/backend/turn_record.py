"""A request to record a turn, as the turn that is kept.

Law: what may not be kept is taken out here, before anything else sees it: with ``save_transcript`` off nothing that
was spoken, looked up or answered by a tool goes further, nor a hash of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from typing import Any

from couchvoice.backend.refusals import INVALID_REQUEST, Refused
from couchvoice.backend.store import Turn
from couchvoice.backend.tools.catalogue import THERAPEUTIC
from couchvoice.backend.tools.route import route_of
from couchvoice.contract import TurnRequest, without_transcript

CHANNEL = "voice"
LOOKUP = "grounded_lookup"  # in the output of a tool

_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")  # as JSON writes it; "\\u0000" is a text about it


def turn_to_keep(
    request: TurnRequest,
    *,
    owner: str,
    guest: bool,
    session_id: str | None,
    transcript: bool,
    voice_runtime: dict[str, Any],
) -> Turn:
    """``transcript``: whether the texts may be kept. Refused (422) when there is nothing to keep."""
    if transcript and not (request.user_text.strip() or request.assistant_text.strip()):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "empty_turn", "a turn needs the text of at least one side")
    inferred = route_of(request.tool_calls)
    if not transcript:
        request = without_transcript(request)
    return Turn(
        thread_id=request.thread_id,
        owner=owner,
        guest=guest,
        session_id=session_id,
        client_turn_id=request.client_turn_id,
        fingerprint=_fingerprint(request),
        channel=CHANNEL,
        transcript_kept=transcript,
        user_text=request.user_text,
        assistant_text=request.assistant_text,
        heard_text=request.heard_text,
        outcome=request.outcome,
        # The client may know better only where the tools tell nothing.
        route=inferred.route if inferred.route != THERAPEUTIC else request.route or THERAPEUTIC,
        response_style=inferred.response_style or request.response_style,
        tool_calls=[call.model_dump() for call in request.tool_calls],
        grounded_lookup=_lookup(request),
        timings=request.timings,
        diagnostics={
            "voice_runtime": voice_runtime,
            "tool_names": [call.tool_name for call in request.tool_calls],
        },
    )


def _lookup(request: TurnRequest) -> dict[str, Any] | None:
    """The turn's last one."""
    found = [call.output.get(LOOKUP) for call in request.tool_calls]
    return next((lookup for lookup in reversed(found) if isinstance(lookup, dict)), None)


def _fingerprint(request: TurnRequest) -> str:
    """What two requests share that say the same. Refused for what JSON lets through and no database keeps."""
    try:
        body = json.dumps(request.model_dump(), sort_keys=True, ensure_ascii=False, allow_nan=False)
        if "\\u0000" in body:  # PostgreSQL keeps no NUL in a text
            raise ValueError
        return hashlib.sha256(body.encode()).hexdigest()
    except ValueError:  # NaN, infinity, NUL, or half a surrogate pair
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY, INVALID_REQUEST, "the turn holds a number or a character that no text has"
        ) from None
