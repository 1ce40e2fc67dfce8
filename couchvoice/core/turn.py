"""One turn: the words said before an answer, then all that the assistant says and calls until it is heard out.

A turn is what a person would call one: a preamble, its tool calls and the answer belong together.
Law: what can be derived is derived; ``unanswered``, ``quiet`` and ``outcome`` are never set.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from couchvoice.core.answer import Answer
from couchvoice.core.calls import WAIT_FOR_USER, Call, CallState

SAME_THOUGHT = 1.5  # seconds; whoever speaks again so soon had not finished, even if an answer had begun


class Outcome(enum.Enum):
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    CONNECTION_INTERRUPTED = "connection_interrupted"


class Transcript(enum.Enum):
    PENDING = "pending"
    FINAL = "final"
    FAILED = "failed"
    MISSING = "missing"  # nobody waits for it any more; a draft that came stays


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
    """Times are of what was spoken: its beginning and end, the first words of its transcript, and all of it.

    ``pause``: seconds from the end that was heard before, in whichever turn, to its beginning.
    """

    text: str = ""
    transcript: Transcript = Transcript.PENDING
    begun_at: float | None = None
    spoken_at: float | None = None
    written_at: float | None = None
    told_at: float | None = None
    pause: float | None = None

    def written(self, now: float) -> None:
        """Some of its words are known."""
        self.written_at = now if self.written_at is None else self.written_at


# Two turns are the same only if they are one: compared by value, two empty ones would be mixed up.
@dataclass(slots=True, eq=False)
class Turn:
    items: dict[str, UserItem] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    expects_words: bool = True  # while it has no item: the words of the user's that were answered may still come
    given_up: bool = False  # no answer will come
    settled_at: float | None = None
    cut_short: Outcome | None = None
    spoken_at: float | None = None  # speech_stopped of its last user item
    typed_at: float | None = None  # its last user item, which was typed

    @property
    def user_text(self) -> str:
        return " ".join(item.text for item in self.items.values() if item.text)

    @property
    def assistant_text(self) -> str:
        return " ".join(answer.text for answer in self.answers.values() if answer.text)

    @property
    def unanswered(self) -> bool:
        """It still waits for its answer: a response that was cut before its first word or call is none."""
        if self.given_up or self._called:
            return False
        return all(answer.cut and not answer.text for answer in self.answers.values())

    @property
    def quiet(self) -> bool:
        """Nothing that has begun goes on: each answer is heard out, each call is settled."""
        answers_over = all(answer.heard_out for answer in self.answers.values())
        return answers_over and not self.calling

    @property
    def calling(self) -> bool:
        """A tool of its own has not been answered."""
        return any(not call.settled for call in self.calls)

    @property
    def awaits_transcript(self) -> bool:
        if not self.items:
            return self.expects_words
        return any(item.transcript is Transcript.PENDING for item in self.items.values())

    @property
    def outcome(self) -> Outcome:
        if self.cut_short:
            return self.cut_short
        answers = list(self.answers.values())
        spoiled = any(answer.cut and answer.text for answer in answers)
        whole = self._served and not spoiled and not (answers and answers[-1].cut)
        return Outcome.COMPLETED if whole else Outcome.INTERRUPTED

    @property
    def _called(self) -> bool:
        return any(call.state is not CallState.DROPPED for call in self.calls)

    @property
    def _served(self) -> bool:
        """It got what an answer may be: words, a call, or the silence of a response that was completed."""
        whole = [answer for answer in self.answers.values() if answer.status != "failed"]
        if self.answers and not whole:
            return False
        return self._called or any(answer.text or answer.status == "completed" for answer in whole)

    def lines(self) -> Iterator[Line]:
        for item_id, item in self.items.items():
            if item.text:
                yield Line("user", item.text, item_id)
        if self.assistant_text:
            yield Line("assistant", self.assistant_text)

    def holds(self, response_ids: Iterable[str]) -> bool:
        return any(response_id in self.answers for response_id in response_ids)

    def give_up(self) -> None:
        """No answer will come."""
        self.given_up = True

    def stop_waiting(self) -> None:
        """The words did not come in time."""
        self.expects_words = False
        for item in self.items.values():
            if item.transcript is Transcript.PENDING:
                item.transcript = Transcript.MISSING

    def finished(self, index: int, key: str, measured: Mapping[str, float]) -> FinishedTurn:
        """``measured`` elsewhere since the last turn was."""
        return FinishedTurn(
            index=index,
            client_turn_id=f"{key}-{index}",
            user_text=self.user_text,
            assistant_text=self.assistant_text,
            tool_calls=tuple(_finished_calls(self.calls)),
            outcome=self.outcome,
            timings={**measured, **dict(_timings(self))},
        )


def _finished_calls(calls: Iterable[Call]) -> Iterator[FinishedCall]:
    for call in calls:
        if call.name == WAIT_FOR_USER or call.state is CallState.DROPPED:
            continue
        status = "started" if call.output is None or call.runs_on else "failed" if call.error else "completed"
        yield FinishedCall(call.name, status, call.output or {}, call.error)


def _timings(turn: Turn) -> Iterator[tuple[str, Any]]:
    """Milliseconds, and what went wrong.

    ``response_ms``: from the end of speech to the first sound. ``typed_response_ms``: from a typed line to the first
    word or sound.
    """
    sounds = [answer.sounded_at for answer in turn.answers.values() if answer.sounded_at is not None]
    if turn.spoken_at is not None and (replies := [at for at in sounds if at >= turn.spoken_at]):
        yield "response_ms", _ms(turn.spoken_at, min(replies))
    words = [answer.worded_at for answer in turn.answers.values() if answer.worded_at is not None]
    if turn.typed_at is not None and (replies := [at for at in sounds + words if at >= turn.typed_at]):
        yield "typed_response_ms", _ms(turn.typed_at, min(replies))
    yield from _transcription_times(turn.items.values())
    yield from _pauses(turn.items.values())
    if took := [call.ms for call in turn.calls if call.ms is not None]:
        yield "tool_ms", max(took)
    transcripts = {item.transcript for item in turn.items.values()}
    for problem in (Transcript.FAILED, Transcript.MISSING):
        if problem in transcripts:
            yield "user_transcript", problem.value
            break
    for answer in turn.answers.values():
        if answer.status in ("failed", "incomplete"):
            yield "response_status", answer.status


def _transcription_times(items: Iterable[UserItem]) -> Iterator[tuple[str, float]]:
    """Of the first words that were written down, and of the last that were spoken."""
    for item in items:
        if item.begun_at is not None and item.written_at is not None:
            yield "first_transcript_ms", _ms(item.begun_at, item.written_at)
            break
    told = [(item.spoken_at, item.told_at) for item in items if item.spoken_at is not None and item.told_at is not None]
    if told:
        yield "stt_ms", _ms(*told[-1])


def _pauses(items: Iterable[UserItem]) -> Iterator[tuple[str, float]]:
    """How soon the user went on after an end was heard that was none: the mean."""
    pauses = [item.pause for item in items if item.pause is not None and item.pause <= SAME_THOUGHT]
    if pauses:
        yield "user_pause_ms", _ms(0.0, sum(pauses) / len(pauses))


def _ms(since: float, until: float) -> float:
    return round(max(0.0, until - since) * 1000, 1)
