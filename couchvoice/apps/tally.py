"""What a talk came to: counted from its notices, shown in its last line.

Law: figures that are not known are None, never zero.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from couchvoice.audio.playout import PlayoutCounters
from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Notice,
    Problem,
    ToolActivity,
    TurnRecorded,
    UsageChanged,
)
from couchvoice.core.usage import Usage

ANSWER_MISSING = "answer_missing"

# What was said came to nothing; it may have been said again and answered.
_UNANSWERED = frozenset({"response_timeout", "message_too_large"})

# Of a turn's timings, by the names of the fields below.
_MEASURED = ("response_ms", "first_transcript_ms", "stt_ms")

# What the summary tells of the received sound, by the names of PlayoutCounters.
_SOUND = (
    "concealed_ms",
    "underruns",
    "recovered_ms",
    "stretched_ms",
    "lost_packets",
    "late_packets",
    "delay_ms",
)


@dataclass(slots=True)
class Tally:
    turns: int = 0
    recorded: int = 0
    refused: int = 0  # turns that the backend did not accept
    response_ms: list[float] = field(default_factory=list)
    first_transcript_ms: list[float] = field(default_factory=list)
    stt_ms: list[float] = field(default_factory=list)
    tool_ms: list[float] = field(default_factory=list)
    stop_ms: list[float] = field(default_factory=list)  # of the interruptions whose end a card told
    usage: Usage | None = None  # None: the provider counts nothing
    answers: int = 0
    unanswered: int = 0
    waited_in_vain: bool = False  # the talk ended while an answer was owed

    @property
    def answered(self) -> bool:
        """Whoever said something got an answer, or has said nothing."""
        return not self.waited_in_vain and (self.answers > 0 or not self.unanswered)

    def add(self, notice: Notice) -> None:
        match notice:
            case UsageChanged(usage):
                self.usage = usage
            case TurnRecorded(turn, recorded, accepted):
                self.turns += 1
                self.recorded += recorded
                self.refused += not accepted
                for name in _MEASURED:
                    if (ms := turn.timings.get(name)) is not None:
                        getattr(self, name).append(float(ms))
            case ToolActivity(ms=float(ms), status="completed" | "failed"):
                self.tool_ms.append(ms)
            case Interrupted(stop_ms=float(ms)):
                self.stop_ms.append(ms)
            case AssistantTranscript(final=True):
                self.answers += 1
            case Problem(code):
                self.unanswered += code in _UNANSWERED
                self.waited_in_vain = self.waited_in_vain or code == ANSWER_MISSING
            case _:
                pass  # what counts for nothing in the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """``finalized`` is the backend's word at ``/end``; ``exit_status`` is the process's."""

    tally: Tally
    finalized: bool
    provider: str | None
    transport: str
    connect_ms: float | None
    audio: PlayoutCounters | None
    exit_status: int

    def as_line(self) -> dict[str, Any]:
        latencies = self.tally.response_ms
        return {
            "type": "summary",
            "turns": self.tally.turns,
            "recorded": self.tally.recorded,
            "finalized": self.finalized,
            "provider": self.provider,
            "transport": self.transport,
            "connect_ms": None if self.connect_ms is None else round(self.connect_ms, 1),
            "first_response_ms": self.tally.response_ms[0] if latencies else None,
            "response_ms": _summed_up(latencies),
            "first_transcript_ms": _summed_up(self.tally.first_transcript_ms),
            "stt_ms": _summed_up(self.tally.stt_ms),
            "tool_ms": _summed_up(self.tally.tool_ms),
            "audio": {name: getattr(self.audio, name) if self.audio else None for name in _SOUND},
            "barge_in_ms": _summed_up(self.tally.stop_ms),
            "usage": None if self.tally.usage is None else asdict(self.tally.usage),
            "exit": self.exit_status,
        }


def _summed_up(values: list[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    return {"p50": percentile(ordered, 50), "p95": percentile(ordered, 95)}


def percentile(ordered: list[float], percent: int) -> float | None:
    """The smallest value that so many percent do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None
