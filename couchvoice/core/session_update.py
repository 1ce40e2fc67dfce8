"""Changes of the running session: what may be changed from here, and the one ``session.update`` that is under way.

The session config is the backend's: of its own the client changes how it takes turns, how fast the assistant speaks,
and whether it speaks or writes. Law: one update at a time, and each is answered once: it holds, or it does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from couchvoice.core import server_events as server
from couchvoice.core.client_events import SessionUpdate
from couchvoice.core.effects import Effect, SendEvent, UpdateAnswered
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem
from couchvoice.errors import ConfigError, InvalidState

UPDATE_TIMEOUT = 5.0  # seconds
SLOWEST, FASTEST = 0.25, 1.5  # OpenAI: ``audio.output.speed``
_ROUNDING = 0.001  # of a number, as servers repeat it

VOICE_IS_FIXED = "cannot_update_voice"  # OpenAI: not "once the model has responded with audio"

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


def without_voice(changes: Changes) -> Changes:
    audio = {name: part for name, part in changes.get("audio", {}).items() if name != "output"}
    output = {name: value for name, value in changes.get("audio", {}).get("output", {}).items() if name != "voice"}
    rest = {name: value for name, value in changes.items() if name != "audio"}
    audio |= {"output": output} if output else {}
    return rest | ({"audio": audio} if audio else {})


class SessionUpdates:
    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._sent: SessionUpdate | None = None
        self._asked: Changes = {}  # by ``_sent``
        self._due: float | None = None
        self._late: dict[str, Changes] = {}  # by event_id: given up, and their answers may still come
        self._passed = False  # an answer was taken for that of a late one while ``_sent`` waited

    def send(self, changes: Changes, now: float) -> list[Effect]:
        """Raises InvalidState while another one is unanswered."""
        if self._sent is not None:
            raise InvalidState("a session.update is under way: wait for its answer")
        self._sent = SessionUpdate(self._ids.event(), {"type": "realtime", **changes})
        self._asked, self._due, self._passed = changes, now + UPDATE_TIMEOUT, False
        return [SendEvent(self._sent)]

    def updated(self, session: Changes) -> tuple[Changes, list[Effect]]:
        """The server's session after a change: what was asked for holds, repeated or not, and who waited is told."""
        agreed = _agree(self._asked, session) if self._sent else None
        if self._late and not agreed:
            self._passed = True
            return self._late.pop(next(iter(self._late))), []
        if self._sent is None or agreed is False:
            return {}, []
        self._late.clear()
        return self._asked, self.answer()

    def refused(self, error: server.ErrorDetail) -> list[Effect] | None:
        """None: the error is not about an update."""
        if self._late.pop(error.event_id or "", None) is not None:
            return []
        if self._sent is None or error.event_id != self._sent.event_id:
            return None
        return self.answer(Problem(error.code or error.type or "error", error.message))

    def answer(self, problem: Problem | None = None) -> list[Effect]:
        """The one that is under way is answered; without one nothing happens."""
        if self._sent is None:
            return []
        self._sent = self._due = None
        return [UpdateAnswered(problem)]

    def next_timeout(self) -> float | None:
        return self._due

    def expire(self, now: float) -> list[Effect]:
        if self._sent is None or self._due is None or now < self._due:
            return []
        if self._passed:
            self._late.clear()  # it was this one's answer: the late ones have none
        else:
            self._late[self._sent.event_id] = self._asked
        return self.answer(Problem("update_timeout", "the provider did not answer session.update"))


def _agree(asked: Changes, told: Changes) -> bool | None:
    """Whether the server has what was asked for. None: it does not say, or it has a part of it."""
    verdicts = set(_verdicts(asked, told))
    if verdicts == {True}:
        return True
    return False if False in verdicts and True not in verdicts else None


def _verdicts(asked: Changes, told: Changes) -> Iterator[bool | None]:
    for name, value in asked.items():
        there = told.get(name)
        if name not in told:
            yield None
        elif isinstance(value, Mapping) and isinstance(there, Mapping):
            yield from _verdicts(value, there)
        elif value == there:
            yield True
        elif value is None or there is None:
            yield False
        elif isinstance(value, int | float) and isinstance(there, int | float):
            yield math.isclose(value, there, rel_tol=_ROUNDING)
        else:
            yield None  # a server has words of its own, as for a model
