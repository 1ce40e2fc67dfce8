"""One turn: the words said before an answer, then all that the assistant says and calls until it is heard out.

A turn is what a person would call one: a preamble, its tool calls and the answer belong together.
Law: everything here is derived from what is stored; ``unanswered``, ``settled`` and ``outcome`` are never set.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from couchvoice.core.calls import WAIT_FOR_USER, Call, CallState


class Outcome(enum.Enum):
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    CONNECTION_INTERRUPTED = "connection_interrupted"


class Transcript(enum.Enum):
    PENDING = "pending"
    FINAL = "final"
    FAILED = "failed"


class Sound(enum.Enum):
    NONE = "none"  # nothing audible belongs to this answer so far
    COMING = "coming"  # it has audio, and no output_audio_buffer event has come
    PLAYING = "playing"  # output_audio_buffer.started
    OVER = "over"  # heard out, or cut


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation so far. ``role`` is user or assistant."""

    role: str
    content: str
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class FinishedCall:
    name: str
    status: str
    output: Mapping[str, Any]
    error: str | None


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """A turn as it is recorded. ``index`` counts from 1 and has no holes; ``client_turn_id`` is the retry key."""

    index: int
    client_turn_id: str
    user_text: str
    assistant_text: str
    tool_calls: tuple[FinishedCall, ...]
    outcome: Outcome
    timings: Mapping[str, Any]


@dataclass(slots=True)
class UserItem:
    text: str = ""
    transcript: Transcript = Transcript.PENDING


@dataclass(slots=True)
class Answer:
    """One response, as the ear sees it."""

    parts: dict[tuple[int, int], str] = field(default_factory=dict)
    sound: Sound = Sound.NONE
    done_at: float | None = None
    status: str | None = None
    cut: bool = False

    @property
    def text(self) -> str:
        return " ".join(text for _, text in sorted(self.parts.items()) if text)

    @property
    def heard_out(self) -> bool:
        return self.done_at is not None and self.sound in (Sound.NONE, Sound.OVER)


@dataclass(slots=True)
class Turn:
    items: dict[str, UserItem] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    asked: bool = False  # its first response was ours to ask for, so it may have no user item at all
    continuing: bool = False  # a response is to come for the outputs of its calls
    settled_at: float | None = None
    cut_short: Outcome | None = None
    spoken_at: float | None = None  # speech_stopped of its last user item
    response_ms: float | None = None

    @property
    def user_text(self) -> str:
        return " ".join(item.text for item in self.items.values() if item.text)

    @property
    def assistant_text(self) -> str:
        return " ".join(answer.text for answer in self.answers.values() if answer.text)

    @property
    def unanswered(self) -> bool:
        """Nothing was answered yet: a response that was cut before its first word is no answer."""
        return not self.calls and all(answer.cut and not answer.text for answer in self.answers.values())

    @property
    def settled(self) -> bool:
        return not (
            self.unanswered
            or self.continuing
            or any(not answer.heard_out for answer in self.answers.values())
            or any(not call.settled for call in self.calls)
        )

    @property
    def awaits_transcript(self) -> bool:
        if not self.items:
            return not self.asked
        return any(item.transcript is Transcript.PENDING for item in self.items.values())

    @property
    def outcome(self) -> Outcome:
        if self.cut_short:
            return self.cut_short
        cut = [answer.cut and bool(answer.text) for answer in self.answers.values()]
        last_cut = any(answer.cut for answer in list(self.answers.values())[-1:])
        return Outcome.INTERRUPTED if any(cut) or last_cut else Outcome.COMPLETED

    def lines(self) -> Iterator[Line]:
        for item_id, item in self.items.items():
            if item.text:
                yield Line("user", item.text, item_id)
        if self.assistant_text:
            yield Line("assistant", self.assistant_text)

    def finished(self, index: int, key: str) -> FinishedTurn:
        return FinishedTurn(
            index=index,
            client_turn_id=f"{key}-{index}",
            user_text=self.user_text,
            assistant_text=self.assistant_text,
            tool_calls=tuple(_finished_calls(self.calls)),
            outcome=self.outcome,
            timings=_timings(self),
        )


def _finished_calls(calls: Iterable[Call]) -> Iterator[FinishedCall]:
    for call in calls:
        if call.name == WAIT_FOR_USER or call.state is CallState.DROPPED:
            continue
        status = "started" if call.output is None else "failed" if call.error else "completed"
        yield FinishedCall(call.name, status, call.output or {}, call.error)


def _timings(turn: Turn) -> dict[str, Any]:
    timings: dict[str, Any] = {}
    if turn.response_ms is not None:
        timings["response_ms"] = round(turn.response_ms, 1)
    if any(item.transcript is Transcript.FAILED for item in turn.items.values()):
        timings["user_transcript"] = "failed"
    elif turn.awaits_transcript and turn.items:
        timings["user_transcript"] = "missing"
    for answer in turn.answers.values():
        if answer.status in ("failed", "incomplete"):
            timings["response_status"] = answer.status
    return timings
