"""How a person found a talk: one word for each session, and when it was given.

Law: of an incognito talk it is counted and not kept; what is kept goes with its thread, and after FEEDBACK_KEPT.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from couchvoice.contract import Feedback

FEEDBACK_KEPT = timedelta(days=180)


class FeedbackBook(Protocol):
    async def keep(self, feedback: Feedback, *, thread_id: str, owner: str, session_id: str | None) -> None:
        """In place of what was given for the same session before."""

    async def last(self, thread_id: str, *, owner: str) -> Feedback | None: ...

    async def purge(self, *, given_before: datetime) -> None: ...
