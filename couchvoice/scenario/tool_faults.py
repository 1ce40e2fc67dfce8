"""What stands between a scripted talk and its backend: it sees each tool call, and lets calls go wrong.

Law: without a fault nothing is changed and nothing waits; what goes wrong looks to the client as it would look if the
network or the backend had done it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from couchvoice.client.backend import Backend
from couchvoice.client.exchange import refusal
from couchvoice.contract import (
    END_PATH,
    SESSION_PATH,
    TOOLS_PATH,
    TURN_PATH,
    ConfigReply,
    EndReply,
    Feedback,
    ResultReply,
    SessionReply,
    ToolReply,
    TurnReply,
)
from couchvoice.core.effects import CallTool
from couchvoice.core.turn import FinishedTurn
from couchvoice.errors import BackendError
from couchvoice.scenario.observed import Observed, SeenCall
from couchvoice.scenario.script import Fault, FaultName
from couchvoice.transports.http import HttpReply

LATEST = 60.0  # seconds until a late answer comes, though nobody has interrupted
SESSION, TURN, END = "session", "turn", "end"  # what else than a tool can go wrong

_Reply = TypeVar("_Reply")
# The codes that backends of this kind use for true failures.
_CODES = {
    SESSION_PATH: "voice_realtime_session_failed",
    TOOLS_PATH: "voice_realtime_tool_failed",
    TURN_PATH: "voice_realtime_turn_record_failed",
    END_PATH: "voice_realtime_end_failed",
}


class ToolFaults:
    """What goes wrong now, by the name of a tool, or SESSION, TURN, END. It may change at any time."""

    def __init__(self, faults: Mapping[str, FaultName | Fault | None]) -> None:
        self._faults: dict[str, Fault] = {}
        self._left: dict[str, int] = {}
        self.change(faults)

    def change(self, faults: Mapping[str, FaultName | Fault | None]) -> None:
        """From now on. None: nothing goes wrong with it any more."""
        for target, named in faults.items():
            self._faults.pop(target, None)
            self._left.pop(target, None)
            if named is not None:
                fault = named if isinstance(named, Fault) else Fault(fault=named)
                self._faults[target] = fault
                if fault.times is not None:
                    self._left[target] = fault.times

    def take(self, target: str) -> Fault | None:
        """What goes wrong with the call that is made now."""
        fault = self._faults.get(target)
        if fault is not None and fault.times is not None:
            if not self._left[target]:
                return None
            self._left[target] -= 1
        return fault


class FaultyBackend:
    """A Backend. ``open_session`` in place of its own."""

    def __init__(
        self,
        backend: Backend,
        faults: ToolFaults,
        observed: Observed,
        *,
        open_session: Callable[[], Awaitable[SessionReply]] | None = None,
    ) -> None:
        self._backend = backend
        self._open_session = open_session or backend.open_session
        self._faults = faults
        self._observed = observed

    async def open_session(self) -> SessionReply:
        return await self._through(SESSION, SESSION_PATH, self._open_session)

    async def call_tool(self, call: CallTool) -> ToolReply:
        seen = self._observed.calls.setdefault(call.call_id, SeenCall(call.name, dict(call.arguments)))

        async def deliver() -> ToolReply:
            seen.deliveries += 1
            return await self._backend.call_tool(call)

        reply = await self._through(call.name, TOOLS_PATH, deliver)
        seen.output = reply.output
        return reply

    async def tool_result(self, task_id: str) -> ResultReply:
        return await self._backend.tool_result(task_id)

    async def record_turn(self, turn: FinishedTurn) -> TurnReply:
        return await self._through(TURN, TURN_PATH, lambda: self._backend.record_turn(turn))

    async def end_session(self, feedback: Feedback | None = None) -> EndReply:
        return await self._through(END, END_PATH, lambda: self._backend.end_session(feedback))

    async def configure(self, *, mode: str | None = None, voice: str | None = None) -> ConfigReply:
        return await self._backend.configure(mode=mode, voice=voice)

    async def _through(self, target: str, path: str, request: Callable[[], Awaitable[_Reply]]) -> _Reply:
        fault = self._faults.take(target)
        if fault is None:
            return await request()
        match fault.fault:
            case "error":
                raise _refused(path, fault.status)
            case "hang":
                await asyncio.Event().wait()  # until who asked gives up
            case "duplicate":
                await request()
            case "late":
                window = self._observed.since(len(self._observed.notices))
                reply = await request()
                await self._observed.until(lambda: window.user_broke_in, within=LATEST)
                await asyncio.sleep(fault.ms / 1000)
                return reply
            case "slow":
                await asyncio.sleep(fault.ms / 1000)
        return await request()


def _refused(path: str, status: int) -> BackendError:
    code = _CODES[path] if status >= 500 else f"http_{status}"
    body = {"detail": {"code": code, "message": "the script of this conversation wants it so"}}
    return refusal(path, HttpReply(status, {}, json.dumps(body).encode()))
