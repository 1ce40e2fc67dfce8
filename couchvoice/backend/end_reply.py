"""What ``/end`` answers, from the arc that was made, or from none."""

from __future__ import annotations

from couchvoice.backend.store import Arc
from couchvoice.contract import EndReply

INCOGNITO_END = "Incognito session ended without durable finalization."
NO_SUMMARY = "No summary produced (session too short, no LLM, or incognito mode)."


def end_reply(arc: Arc | None) -> EndReply:
    if arc is None:
        return EndReply(finalized=False, detail=NO_SUMMARY)
    return EndReply(
        finalized=True,
        summary=arc.summary,
        themes=arc.primary_themes,
        mood_opened=arc.mood_opened,
        mood_closed=arc.mood_closed,
        turn_count=arc.turn_count,
        open_loops=arc.open_loops,
        resolved_threads=arc.resolved_threads,
    )
