"""What the companion asks outside of this machine, if the settings say so. The backend checks it.

Law: without them it asks nobody; each URL is https, or http to this machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from couchvoice.private import Private


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionSettings:
    """``lookup_url`` knows passages, ``crisis_lookup_url`` lines for places; one key serves both.

    ``audit_url`` is the base of a server with OpenAI's ``/moderations``, asked about turns after they are over.
    ``summary_url`` is the base of one with its ``/chat/completions``, which ``summary_model`` says what a session was
    about; one of fewer than ``summary_min_turns`` has no summary.
    """

    lookup_url: str | None = None
    crisis_lookup_url: str | None = None
    lookup_key: Private | None = None
    audit_url: str | None = None
    audit_model: str | None = None
    audit_key: Private | None = None
    summary_url: str | None = None
    summary_model: str | None = None
    summary_key: Private | None = None
    summary_min_turns: int = 1
