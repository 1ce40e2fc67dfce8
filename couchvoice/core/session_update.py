"""Changes of the running session: what may be changed from here, and the one ``session.update`` that is under way.

The session config is the backend's: of its own the client changes how it takes turns, how fast the assistant speaks,
and whether it speaks or writes. Law: one update at a time, and each is answered once: it holds, or it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from couchvoice.core import server_events as server
from couchvoice.core.client_events import SessionUpdate
from couchvoice.core.effects import Effect, SendEvent, UpdateAnswered
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem
from couchvoice.errors import ConfigError, InvalidState

UPDATE_TIMEOUT = 5.0  # seconds
SLOWEST, FASTEST = 0.25, 1.5  # OpenAI: ``audio.output.speed``

Modality = Literal["audio", "text"]
Changes = Mapping[str, Any]  # a GA partial session


def speed_of(speed: float) -> Changes:
    """Of the assistant's speech; 1 is normal. Raises ConfigError."""
    if not SLOWEST <= speed <= FASTEST:
        raise ConfigError(f"a speed of {speed:g}: choose one from {SLOWEST} to {FASTEST}")
    return {"audio": {"output": {"speed": speed}}}


def turn_detection_of(detection: Mapping[str, Any] | None) -> Changes:
    """None: nobody but the client says when the user has spoken (push-to-talk)."""
    return {"audio": {"input": {"turn_detection": None if detection is None else dict(detection)}}}


def modality_of(modality: Modality) -> Changes:
    """Whether the assistant speaks or writes."""
    return {"output_modalities": [modality]}


class SessionUpdates:
    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._sent: SessionUpdate | None = None
        self._due: float | None = None

    def send(self, changes: Changes, now: float) -> list[Effect]:
        """Raises InvalidState while another one is unanswered."""
        if self._sent is not None:
            raise InvalidState("a session.update is under way: wait for its answer")
        self._sent = SessionUpdate(self._ids.event(), {"type": "realtime", **changes})
        self._due = now + UPDATE_TIMEOUT
        return [SendEvent(self._sent)]

    @property
    def pending(self) -> Changes:
        """What was asked for and is not answered."""
        return self._sent.session if self._sent else {}

    def named_in(self, error: server.ErrorDetail) -> bool:
        return self._sent is not None and error.event_id == self._sent.event_id

    def answer(self, problem: Problem | None = None) -> list[Effect]:
        """The one that is under way is answered; without one nothing happens."""
        if self._sent is None:
            return []
        self._sent = self._due = None
        return [UpdateAnswered(problem)]

    def next_timeout(self) -> float | None:
        return self._due

    def expire(self, now: float) -> list[Effect]:
        if self._due is None or now < self._due:
            return []
        return self.answer(Problem("update_timeout", "the provider did not answer session.update"))
