"""The tool bridge: from the completed output item of a call to the output that the model gets.

A call runs once, whatever names it: ``output_item.done`` starts it, ``response.done`` starts what was never announced.
Law: outputs go out after ``response.done``, all of a response together, in the order of its output, and nothing
is started for a response that was, or is about to be, cancelled.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from couchvoice.core.calls import Call, CallState, read_arguments
from couchvoice.core.effects import CallTool, Effect
from couchvoice.core.notices import ToolActivity
from couchvoice.core.server_events import Item, OutputItemDone, Response
from couchvoice.core.tool_view import shown_name
from couchvoice.core.turns import TurnLedger

EVIDENCE_TIMEOUT = 2.5  # seconds; how long a call with a user_quote waits for the transcript that holds it
EVIDENCE_TURNS = 3  # user turns before the present one in which a user_quote may stand


class _End(enum.Enum):
    """How a response ended, as far as its calls are concerned."""

    DONE = "done"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # another one runs; its own response.done may yet come


class ToolBridge:
    """All calls of a session, by ``call_id``. The ledger is asked for words and told of calls."""

    def __init__(self, ledger: TurnLedger) -> None:
        self._ledger = ledger
        self._calls: dict[str, Call] = {}
        self._ends: dict[str, _End] = {}  # by response id
        self._doubtful: set[str] = set()  # responses that the server is about to cancel
        self._deferred: list[OutputItemDone] = []  # their calls, until response.done decides

    @property
    def busy(self) -> bool:
        return any(call.unfinished for call in self._calls.values())

    def doubt(self, response_ids: Iterable[str]) -> None:
        """These are about to be cancelled: their calls that do not run yet wait for their end."""
        self._doubtful.update(response_ids)

    def item_done(self, event: OutputItemDone, now: float) -> list[Effect]:
        if event.item.type != "function_call" or event.item.status not in ("completed", None):
            return []
        if event.response_id in self._doubtful:
            self._deferred.append(event)
            return []
        self._add(event.response_id, event.item, event.output_index, now)
        return self.advance(now)

    def response_done(self, response: Response, now: float) -> list[Effect]:
        """The response names all its calls again: those that were not announced, or were in doubt, begin here."""
        self._doubtful.discard(response.id)
        if response.status == "cancelled":
            self._ends[response.id] = _End.CANCELLED
            _drop(self._of(response.id))
        else:
            for event in (event for event in self._deferred if event.response_id == response.id):
                self._add(response.id, event.item, event.output_index, now)
            for index, item in enumerate(response.output or ()):
                if item.type == "function_call" and response.status == "completed" and item.status != "incomplete":
                    self._add(response.id, item, index, now)
            self._ends[response.id] = _End.DONE
        self._deferred = [event for event in self._deferred if event.response_id != response.id]
        return self.advance(now)

    def superseded(self, response_id: str) -> None:
        """Another response has begun. Whether this one was cancelled we may never be told."""
        self._ends.setdefault(response_id, _End.SUPERSEDED)
        if response_id in self._doubtful:
            _drop(self._of(response_id))

    def advance(self, now: float) -> list[Effect]:
        """Run what waits no longer: its words have been said, or did not come in time."""
        ready = [call for call in self._waiting() if now >= call.asked_at + EVIDENCE_TIMEOUT or self._proven(call)]
        return [effect for call in ready for effect in self._run(call, now)]

    def next_timeout(self) -> float | None:
        return min((call.asked_at + EVIDENCE_TIMEOUT for call in self._waiting()), default=None)

    def finished(
        self, call_id: str, output: Mapping[str, Any], now: float, *, error: str | None, runs_on: bool
    ) -> Call | None:
        """The output is here. None: nobody awaits it."""
        call = self._calls.get(call_id)
        if call is None or call.state is not CallState.RUNNING:
            return None
        call.output, call.error, call.state = output, error, CallState.FINISHED
        call.runs_on = runs_on
        call.ms = round((now - call.started_at) * 1000, 1)
        return call

    def take_answerable(self, response_id: str) -> list[Call]:
        """The finished calls of a response, once it is over and none of them runs any more; each is given out once."""
        calls = list(self._of(response_id))
        if response_id not in self._ends or any(call.unfinished for call in calls):
            return []
        ready = sorted((c for c in calls if c.state is CallState.FINISHED), key=lambda call: call.output_index)
        for call in ready:
            call.state = CallState.ANSWERED
        return ready

    def continues(self, calls: list[Call]) -> bool:
        """Whether the model is to speak on after these outputs."""
        return any(call.wants_response and self._ends[call.response_id] is not _End.CANCELLED for call in calls)

    def close(self) -> None:
        """The talk is over: what has not run will not run."""
        _drop(self._calls.values())

    def _add(self, response_id: str, item: Item, output_index: int, now: float) -> None:
        over = self._ends.get(response_id) in (_End.DONE, _End.CANCELLED)
        if not item.call_id or not item.name or over or item.call_id in self._calls:
            return
        # Unknown, or its turn is recorded already.
        if self._ledger.answer(response_id) is None:
            return
        arguments = read_arguments(item.arguments)
        call = Call(item.call_id, item.name, arguments, response_id, output_index, asked_at=now)
        self._calls[call.call_id] = call
        self._ledger.add_call(call)

    def _run(self, call: Call, now: float) -> list[Effect]:
        call.state, call.started_at = CallState.RUNNING, now
        message = self._ledger.current_message(call.response_id)
        return [
            ToolActivity(shown_name(call.name), call.call_id, "started"),
            CallTool(call.call_id, call.name, call.arguments, message, self._ledger.lines()),
        ]

    def _proven(self, call: Call) -> bool:
        """The words that the call leans on have been said. A call without a quote leans on none."""
        if call.quote is None:
            return True
        # Whole words: "art no" is not in "I start now".
        wanted = f" {_bare(call.quote)} "
        return any(wanted in f" {_bare(words)} " for words in self._ledger.user_words(EVIDENCE_TURNS))

    def _waiting(self) -> Iterator[Call]:
        return (
            call
            for call in self._calls.values()
            if call.state is CallState.WAITING and call.response_id not in self._doubtful
        )

    def _of(self, response_id: str) -> Iterator[Call]:
        return (call for call in self._calls.values() if call.response_id == response_id)


def _drop(calls: Iterable[Call]) -> None:
    for call in calls:
        if call.state is CallState.WAITING:
            call.state = CallState.DROPPED


def _bare(text: str) -> str:
    """Words only: quotes differ from transcripts in case and punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))
