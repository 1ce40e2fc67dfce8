"""Reports: the results of tools that answered at once and run on, until the model is told of them.

A call has its one output already, "generating". What comes later is told as a call of its own and its output: the text
of a tool stays data. Law: each is told once, while nobody speaks and nothing is owed; of two results of one tool only
the newer one's is awaited.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from couchvoice.core.calls import Call, CallState
from couchvoice.core.client_events import FunctionCall, FunctionCallOutput, ItemCreate, encode_output
from couchvoice.core.effects import Effect, SendEvent
from couchvoice.core.ids import Ids
from couchvoice.core.notices import ToolActivity, ToolResult
from couchvoice.core.tool_view import shown_name, shown_output


class Reports:
    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._expected: dict[str, Call] = {}  # by the id of the call that was acknowledged
        self._ready: dict[str, Call] = {}  # likewise; the result is here, the model does not have it yet
        self._told: list[Call] = []  # since the last response began

    @property
    def owes(self) -> bool:
        """A result is awaited, or waits to be told."""
        return bool(self._expected or self._ready)

    @property
    def awaits(self) -> bool:
        """A tool runs on."""
        return bool(self._expected)

    @property
    def ready(self) -> bool:
        """A result waits to be told."""
        return bool(self._ready)

    def expect(self, call: Call, now: float) -> list[Effect]:
        """The tool has acknowledged this call and runs on. It takes the place of what it did before."""
        self._ready = {call_id: one for call_id, one in self._ready.items() if one.name != call.name}
        older = [call_id for call_id, one in self._expected.items() if one.name == call.name]
        cancelled = [effect for call_id in older for effect in self.cancelled(call_id, now)]
        self._expected[call.call_id] = call
        return cancelled

    def arrived(
        self, call_id: str, output: Mapping[str, Any], now: float, *, error: str | None, private: Collection[str] = ()
    ) -> list[Effect]:
        """The result is here. Dropped when nobody awaits it. The user is not shown what is ``private`` of it."""
        call = self._expected.pop(call_id, None)
        if call is None:
            return []
        self._ready[call_id] = Call(
            call_id=self._ids.call(),
            name=call.name,
            arguments=call.arguments,
            response_id="",  # the one that tells it
            output_index=0,
            asked_at=now,
            state=CallState.ANSWERED,
            output=output,
            error=error,
        )
        return [
            _activity(call, "failed" if error else "completed", now),
            ToolResult(shown_name(call.name), call_id, shown_output(output, private)),
        ]

    def cancelled(self, call_id: str, now: float) -> list[Effect]:
        """There will be no result, and nothing to tell of it."""
        call = self._expected.pop(call_id, None)
        return [_activity(call, "cancelled", now)] if call else []

    def tell(self) -> tuple[list[Effect], bool]:
        """The items of what is to be told now, and whether the model is to speak of it."""
        ready = list(self._ready.values())
        self._ready = {}
        self._told += ready
        items = (item for call in ready for item in _items(call))
        effects: list[Effect] = [SendEvent(ItemCreate(self._ids.event(), item)) for item in items]
        return effects, any(call.wants_response for call in ready)

    def take_told(self) -> list[Call]:
        """The calls of the turn of the response that begins now."""
        told, self._told = self._told, []
        return told

    def close(self) -> None:
        """The talk is over: nothing is told any more."""
        self._expected, self._ready, self._told = {}, {}, []


def _items(call: Call) -> tuple[FunctionCall, FunctionCallOutput]:
    return (
        FunctionCall(call.call_id, call.name, encode_output(call.arguments)),
        FunctionCallOutput(call.call_id, encode_output(call.output)),
    )


def _activity(call: Call, status: str, now: float) -> ToolActivity:
    return ToolActivity(shown_name(call.name), call.call_id, status, round((now - call.started_at) * 1000, 1))
