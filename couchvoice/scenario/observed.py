"""What has happened in a conversation so far, as far as a script may expect it. Pure but for whoever waits.

Law: it is told everything in order, and judges nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Notice,
    Problem,
    StateChanged,
    ToolActivity,
    ToolResult,
    TurnRecorded,
    UserTranscript,
)
from couchvoice.core.state import SessionState


@dataclass(slots=True)
class SeenCall:
    """A tool call as the backend had it. ``deliveries``: how often it arrived there."""

    name: str
    arguments: Mapping[str, Any]
    output: Mapping[str, Any] = field(default_factory=dict)
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call as it stands: ``ended`` is None while it runs; ``arguments`` and ``output`` as the backend had them."""

    name: str
    began: float
    status: str
    ended: float | None
    ms: float | None
    arguments: Mapping[str, Any]
    output: Mapping[str, Any]
    error: str | None


@dataclass(slots=True)
class Observed:
    """``at`` of everything is the loop's time."""

    notices: list[tuple[float, Notice]] = field(default_factory=list)
    calls: dict[str, SeenCall] = field(default_factory=dict)  # by call id
    error: str | None = None  # the code of why the talk could not begin, or broke off
    error_text: str = ""
    finalized: bool | None = None
    end_detail: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)  # the turns that are kept, when it was asked for them
    history_finalized: bool = False
    audits: dict[str, int] = field(default_factory=dict)  # what the backend's audits found, when it was asked for
    connect_ms: list[float] = field(default_factory=list)
    last_audible: Callable[[], float | None] = lambda: None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, notice: Notice, at: float) -> None:
        self.notices.append((at, notice))
        self.touch()

    def touch(self) -> None:
        """Something is new."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool], *, within: float) -> bool:
        """Whether it came to hold in so many seconds."""
        try:
            async with asyncio.timeout(within):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def since(self, start: int, began: float = 0.0) -> Window:
        return Window(self, start, began)


@dataclass(frozen=True, slots=True)
class Window:
    """What has happened since the ``start``-th notice; ``began`` is when that was, as ``last_audible`` counts."""

    whole: Observed
    start: int
    began: float

    @property
    def notices(self) -> Iterator[tuple[float, Notice]]:
        return iter(self.whole.notices[self.start :])

    @property
    def user_text(self) -> str:
        items = {notice.item_id: notice.text for _, notice in self.notices if isinstance(notice, UserTranscript)}
        return " ".join(filter(None, items.values()))

    @property
    def user_is_heard(self) -> bool:
        return any(isinstance(notice, UserTranscript) and notice.final for _, notice in self.notices)

    @property
    def assistant_text(self) -> str:
        return " ".join(filter(None, self._answers().values()))

    def assistant_said(self, finds: Callable[[str], object]) -> float | None:
        """When the words of one answer were first of this kind."""
        for at, notice in self.notices:
            if isinstance(notice, AssistantTranscript) and finds(notice.text):
                return at
        return None

    @property
    def tools(self) -> list[ToolUse]:
        began: dict[str, float] = {}
        latest: dict[str, tuple[float, ToolActivity]] = {}
        told: dict[str, Mapping[str, Any]] = {}
        for at, notice in self.notices:
            if isinstance(notice, ToolActivity):
                began.setdefault(notice.call_id, at)
                latest[notice.call_id] = (at, notice)
            elif isinstance(notice, ToolResult):
                told[notice.call_id] = notice.output
        return [self._use(began[call_id], *latest[call_id], told.get(call_id, {})) for call_id in began]

    @property
    def turns(self) -> list[TurnRecorded]:
        return [notice for _, notice in self.notices if isinstance(notice, TurnRecorded)]

    @property
    def problems(self) -> list[str]:
        return [notice.code for _, notice in self.notices if isinstance(notice, Problem)]

    @property
    def interrupted(self) -> bool:
        return any(isinstance(notice, Interrupted) for _, notice in self.notices)

    @property
    def user_broke_in(self) -> bool:
        states = (notice.state for _, notice in self.notices if isinstance(notice, StateChanged))
        return self.interrupted or SessionState.USER_SPEAKING in states

    @property
    def audible(self) -> bool:
        """Somebody would have heard the assistant."""
        last = self.whole.last_audible()
        return last is not None and last >= self.began

    def figures(self) -> dict[str, list[float]]:
        """Milliseconds by the names of Limits."""
        found: dict[str, list[float]] = {"connect_ms": list(self.whole.connect_ms) if not self.start else []}
        for _, notice in self.notices:
            match notice:
                case TurnRecorded(turn):
                    for name in ("first_transcript_ms", "stt_ms", "response_ms"):
                        if isinstance(ms := turn.timings.get(name), int | float):
                            found.setdefault(name, []).append(float(ms))
                case Interrupted(stop_ms=float(ms)):
                    found.setdefault("stop_ms", []).append(ms)
                case ToolActivity(ms=float(ms), status="completed" | "failed"):
                    found.setdefault("tool_ms", []).append(ms)
                case _:
                    pass  # nothing was measured
        return found

    def _answers(self) -> dict[str, str]:
        return {
            notice.response_id: notice.text for _, notice in self.notices if isinstance(notice, AssistantTranscript)
        }

    def _use(self, began: float, at: float, latest: ToolActivity, told: Mapping[str, Any]) -> ToolUse:
        seen = self.whole.calls.get(latest.call_id, SeenCall(latest.name, {}))
        ended = None if latest.status in ("started", "generating") else at
        error = told.get("error") if latest.status == "failed" else None
        # What the user is not shown of it a script may see.
        output = seen.output or told
        return ToolUse(
            latest.name, began, latest.status, ended, latest.ms, seen.arguments, output, str(error) if error else None
        )
