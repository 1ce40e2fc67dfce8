"""The tool bridge: from the completed output item of a call to the output that the model gets.

A call runs once, whatever names it: ``output_item.done`` starts it, ``response.done`` starts what was never announced.
Law: outputs go out after ``response.done``, all of a response together, in the order of its output, and nothing
is started for a response that was, or is about to be, cancelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from couchvoice.core.calls import Call, CallState, read_arguments
from couchvoice.core.effects import CallTool, Effect
from couchvoice.core.notices import ToolActivity
from couchvoice.core.server_events import Item, OutputItemDone, Response
from couchvoice.core.turns import TurnLedger

EVIDENCE_TIMEOUT = 2.5  # seconds; how long a call with a user_quote waits for the transcript that holds it
EVIDENCE_TURNS = 3  # user turns before the present one in which a user_quote may stand


class ToolBridge:
    """All calls of a session, by ``call_id``. The ledger is asked for words and told of calls."""

    def __init__(self, ledger: TurnLedger) -> None:
        self._ledger = ledger
        self._calls: dict[str, Call] = {}
        self._over: dict[str, bool] = {}  # response id -> whether it was cancelled
        self._doubtful: set[str] = set()  # responses that the server is about to cancel
        self._deferred: list[OutputItemDone] = []  # their calls, until response.done decides

    @property
    def busy(self) -> bool:
        return any(call.unfinished for call in self._calls.values())

    def doubt(self, response_ids: Iterable[str]) -> None:
        """These are about to be cancelled: what they call from now on waits for their end."""
        self._doubtful.update(response_ids)

    def item_done(self, event: OutputItemDone, now: float) -> list[Effect]:
        if event.item.type != "function_call" or event.item.status not in ("completed", None):
            return []
        if event.response_id in self._doubtful:
            self._deferred.append(event)
            return []
        return self._begin(event.response_id, event.item, event.output_index, now)

    def response_done(self, response: Response, now: float) -> list[Effect]:
        """The response names all its calls again: those that were not announced, or were in doubt, begin here."""
        effects: list[Effect] = []
        cancelled = response.status == "cancelled"
        if not cancelled:
            for event in (event for event in self._deferred if event.response_id == response.id):
                effects += self._begin(response.id, event.item, event.output_index, now)
        if response.status == "completed":
            for index, item in enumerate(response.output or ()):
                if item.type == "function_call" and item.status != "incomplete":
                    effects += self._begin(response.id, item, index, now)
        self._deferred = [event for event in self._deferred if event.response_id != response.id]
        self._doubtful.discard(response.id)
        self._over[response.id] = cancelled
        if cancelled:
            _drop(self._of(response.id))
        return effects

    def finished(self, call_id: str, output: Mapping[str, Any], now: float, *, error: str | None) -> Call | None:
        """The result is here. None: nobody awaits it."""
        call = self._calls.get(call_id)
        if call is None or call.state is not CallState.RUNNING:
            return None
        call.output, call.error, call.state = output, error, CallState.FINISHED
        call.ms = round((now - call.started_at) * 1000, 1)
        return call

    def take_answerable(self, response_id: str) -> list[Call]:
        """The finished calls of a response, once it is done and none of them runs any more; each is given out once."""
        calls = list(self._of(response_id))
        if response_id not in self._over or any(call.unfinished for call in calls):
            return []
        ready = sorted((c for c in calls if c.state is CallState.FINISHED), key=lambda call: call.output_index)
        for call in ready:
            call.state = CallState.ANSWERED
        return ready

    def continues(self, calls: list[Call]) -> bool:
        """Whether the model is to speak on after these outputs."""
        return any(call.wants_response and not self._over[call.response_id] for call in calls)

    def words_came(self, now: float) -> list[Effect]:
        """The user's words have grown: calls that lean on them may run."""
        return [effect for call in self._waiting() if self._proven(call) for effect in self._run(call, now)]

    def next_timeout(self) -> float | None:
        return min((call.asked_at + EVIDENCE_TIMEOUT for call in self._waiting()), default=None)

    def expire(self, now: float) -> list[Effect]:
        """The words did not come in time: the backend decides what a call without them is worth."""
        late = [call for call in self._waiting() if now >= call.asked_at + EVIDENCE_TIMEOUT]
        return [effect for call in late for effect in self._run(call, now)]

    def close(self) -> None:
        """The talk is over: what has not run will not run."""
        _drop(self._calls.values())

    def _begin(self, response_id: str, item: Item, output_index: int, now: float) -> list[Effect]:
        known = item.call_id in self._calls or response_id in self._over
        if not item.call_id or not item.name or known or not self._ledger.knows(response_id):
            return []
        arguments = read_arguments(item.arguments)
        call = Call(item.call_id, item.name, arguments, response_id, output_index, asked_at=now)
        self._calls[call.call_id] = call
        self._ledger.add_call(call)
        return self._run(call, now) if self._proven(call) else []

    def _run(self, call: Call, now: float) -> list[Effect]:
        call.state, call.started_at = CallState.RUNNING, now
        message = self._ledger.current_message(call.response_id)
        return [
            ToolActivity(call.name, call.call_id, "started"),
            CallTool(call.call_id, call.name, call.arguments, message, self._ledger.lines()),
        ]

    def _proven(self, call: Call) -> bool:
        """The words that the call leans on have been said. A call without a quote leans on none."""
        if call.quote is None:
            return True
        wanted = _bare(call.quote)
        return any(wanted in _bare(words) for words in self._ledger.user_words(EVIDENCE_TURNS))

    def _waiting(self) -> list[Call]:
        return [call for call in self._calls.values() if call.state is CallState.WAITING]

    def _of(self, response_id: str) -> Iterator[Call]:
        return (call for call in list(self._calls.values()) if call.response_id == response_id)


def _drop(calls: Iterable[Call]) -> None:
    for call in calls:
        if call.state is CallState.WAITING:
            call.state = CallState.DROPPED


def _bare(text: str) -> str:
    """Words only: quotes differ from transcripts in case and punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))
