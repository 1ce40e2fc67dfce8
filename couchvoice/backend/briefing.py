"""What a session's instructions and tools depend on, besides its mode.

Law: it is fixed when the session is opened; no later request widens it.
"""

from __future__ import annotations

from dataclasses import dataclass

from couchvoice.contract import MemoryMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    thread_id: str
    user_id: str | None
    memory_mode: MemoryMode
    language: str | None  # None: whichever is heard
    save_transcript: bool = True

    @property
    def owner(self) -> str:
        return self.user_id or self.thread_id
