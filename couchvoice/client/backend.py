"""The backend as the client sees it: one call for each of its endpoints, over HTTP.

Works with our backend and with any other that serves the four endpoints of a talk (it may answer 500 for everything,
add fields, and be unable to change a running session). Law: whatever goes wrong leaves as a BackendError that says
what, where and whether another try makes sense.
"""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel

from couchvoice.addresses import require_safe_url
from couchvoice.client.exchange import Reply, exchange
from couchvoice.contract import (
    CONFIG_PATH,
    END_PATH,
    RESULT_PATH,
    SESSION_PATH,
    SESSION_TOKEN_HEADER,
    TOOLS_PATH,
    TURN_PATH,
    ConfigReply,
    ConfigRequest,
    EndReply,
    EndRequest,
    Feedback,
    ResultReply,
    ResultRequest,
    SessionReply,
    SessionRequest,
    ToolCallRecord,
    ToolReply,
    ToolRequest,
    TranscriptEntry,
    TurnReply,
    TurnRequest,
    without_transcript,
)
from couchvoice.core.effects import CallTool
from couchvoice.core.turn import FinishedTurn
from couchvoice.errors import BackendError
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient

SESSION_TIMEOUT = 10.0  # seconds
TOOL_TIMEOUT = 15.0  # seconds; then the model is told that the tool failed
TURN_TIMEOUT = 10.0  # seconds
END_TIMEOUT = 30.0  # seconds; a backend may write a summary
CONFIG_TIMEOUT = 10.0  # seconds

# How a backend says that it has no such endpoint; any other code of a 404 is about the thread.
_NO_ENDPOINT = frozenset({"http_404", "http_405", "not_found", "method_not_allowed"})


class Backend(Protocol):
    """Every method raises BackendError. One method for each endpoint, hence six where four are the habit."""

    async def open_session(self) -> SessionReply: ...

    async def call_tool(self, call: CallTool) -> ToolReply: ...

    async def tool_result(self, task_id: str) -> ResultReply: ...

    async def record_turn(self, turn: FinishedTurn) -> TurnReply: ...

    async def end_session(self, feedback: Feedback | None = None) -> EndReply: ...

    async def configure(self, *, mode: str | None = None, voice: str | None = None) -> ConfigReply: ...


class HttpBackend:
    """One talk with the backend at ``base_url``. ``token`` is the client's bearer, when the backend wants one."""

    def __init__(
        self, base_url: str, request: SessionRequest, *, http: HttpClient, token: Private | None = None
    ) -> None:
        self._base_url = require_safe_url(base_url)
        self._request = request
        self._http = http
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token.reveal()}"
        self._reply: SessionReply | None = None

    async def open_session(self) -> SessionReply:
        reply = await self._post(SESSION_PATH, self._request, SessionReply, within=SESSION_TIMEOUT)
        if reply.session_token:
            self._headers[SESSION_TOKEN_HEADER] = reply.session_token
        if reply.thread_id:
            self._request = self._request.model_copy(update={"thread_id": reply.thread_id})
        self._reply = reply
        return reply

    async def call_tool(self, call: CallTool) -> ToolReply:
        request = ToolRequest(
            thread_id=self._request.thread_id,
            user_id=self._request.user_id,
            memory_mode=self._request.memory_mode,
            current_user_message=call.current_user_message,
            transcript=[
                TranscriptEntry(
                    role="user" if line.role == "user" else "assistant", content=line.content, item_id=line.item_id
                )
                for line in call.transcript
            ],
            tool_name=call.name,
            arguments=dict(call.arguments),
            call_id=call.call_id,
        )
        return await self._post(TOOLS_PATH, request, ToolReply, within=TOOL_TIMEOUT)

    async def tool_result(self, task_id: str) -> ResultReply:
        request = ResultRequest(thread_id=self._request.thread_id, user_id=self._request.user_id, task_id=task_id)
        return await self._post(RESULT_PATH, request, ResultReply, within=TOOL_TIMEOUT)

    async def record_turn(self, turn: FinishedTurn) -> TurnReply:
        request = TurnRequest(
            thread_id=self._request.thread_id,
            user_id=self._request.user_id,
            memory_mode=self._request.memory_mode,
            user_text=turn.user_text,
            assistant_text=turn.assistant_text,
            tool_calls=[
                ToolCallRecord.model_validate(
                    {"tool_name": call.name, "status": call.status, "output": dict(call.output), "error": call.error}
                )
                for call in turn.tool_calls
            ],
            client_turn_id=turn.client_turn_id,
            outcome=turn.outcome.value,
            timings=dict(turn.timings),
        )
        if self._request.save_transcript is False:
            request = without_transcript(request)  # here already: another backend may not know the wish
        return await self._post(TURN_PATH, request, TurnReply, within=TURN_TIMEOUT)

    async def end_session(self, feedback: Feedback | None = None) -> EndReply:
        request = EndRequest(
            thread_id=self._request.thread_id,
            user_id=self._request.user_id,
            memory_mode=self._request.memory_mode,
            session_id=self._reply.session_id if self._reply else None,
            feedback=feedback,
        )
        return await self._post(END_PATH, request, EndReply, within=END_TIMEOUT)

    async def configure(self, *, mode: str | None = None, voice: str | None = None) -> ConfigReply:
        request = ConfigRequest(
            thread_id=self._request.thread_id, user_id=self._request.user_id, mode=mode, voice=voice
        )
        try:
            return await self._post(CONFIG_PATH, request, ConfigReply, within=CONFIG_TIMEOUT)
        except BackendError as exc:
            if exc.code not in _NO_ENDPOINT:
                raise
            detail = "it cannot change a session that is running"
            raise BackendError(exc.endpoint, exc.status, "config_not_supported", detail) from exc

    async def _post(self, path: str, request: BaseModel, expect: type[Reply], *, within: float) -> Reply:
        body = request.model_dump_json(exclude_none=True).encode()
        return await exchange(self._http, "POST", self._base_url, path, body, self._headers, expect, within=within)
