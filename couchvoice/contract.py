"""Wire models of the backend's endpoints, shared by the client and our backend.

Law: requests are strict (an unknown field or a wrong type is refused), replies are lenient (a backend that is
not ours may add fields; what has a default here may be missing, or of no use).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

SESSION_PATH = "/api/voice/realtime/session"
TOOLS_PATH = "/api/voice/realtime/tools"
RESULT_PATH = "/api/voice/realtime/tools/result"
TURN_PATH = "/api/voice/realtime/turn"
END_PATH = "/api/voice/realtime/end"
CONFIG_PATH = "/api/voice/realtime/config"
THREADS_PATH = "/api/threads"
HISTORY = "history"  # /api/threads/{thread_id}/history, and so on
STATUS = "status"
END = "end"
MEMORY_PATH = "/api/memory"
MEMORY_STATUS_PATH = f"{MEMORY_PATH}/status"
MEMORY_RECALL_PATH = f"{MEMORY_PATH}/recall"
MEMORY_DELETED_PATH = f"{MEMORY_PATH}/deleted"
MEMORY_EXPORT_PATH = f"{MEMORY_PATH}/export"
RESTORE = "restore"  # /api/memory/{id}/restore
SESSION_TOKEN_HEADER = "X-Couchvoice-Session"

# A name goes into a header, a log, a database: PostgreSQL keeps no NUL.
_NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, StringConstraints(pattern=_NO_NUL, max_length=200)]
# The code of 503 while the backend has no provider: switched off, without a key, or not to be reached.
UNAVAILABLE = "realtime_unavailable"

ThreadId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_NO_NUL)]
MemoryMode = Literal["incognito", "persistent"]
Outcome = Literal["completed", "interrupted", "connection_interrupted"]
ToolStatus = Literal["started", "completed", "failed"]
FinalizationStatus = Literal["idle", "in_progress", "completed", "failed"]
Feedback = Literal["positive", "negative", "skip"]  # skip: asked, and not answered
ResultStatus = Literal["generating", "completed", "failed", "cancelled"]

GENERATING = "generating"  # ``status`` in the output of a tool whose result comes later

# OpenAI's realtime voices, as the session config knows them.
VOICES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
# ISO 639, then script and region as in BCP 47: "de", "pt-BR", "zh-Hant-TW".
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)
AUTO_LANGUAGE = "auto"  # whichever is heard


def is_language(code: str) -> bool:
    """Has it the shape of a language's code, or is it "auto"?"""
    return code == AUTO_LANGUAGE or _LANGUAGE.fullmatch(code) is not None


def _language(code: str) -> str:
    if not is_language(code):
        raise PydanticCustomError("language", "not the code of a language, such as en or de, nor auto")
    return code


Language = Annotated[str, AfterValidator(_language)]
Sensitivity = Annotated[int, Field(ge=0, le=100)]
SilenceMs = Annotated[int, Field(ge=200, le=800)]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _default_for_unusable(cls, value: object, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return validate(value)
        except ValidationError:
            assert info.field_name is not None  # this validates fields
            field = cls.model_fields[info.field_name]
            if field.is_required():
                raise
            return field.get_default(call_default_factory=True, validated_data=info.data)


class SessionRequest(_Request):
    """``POST /api/voice/realtime/session``"""

    thread_id: ThreadId
    user_id: Name | None = None
    memory_mode: MemoryMode = "incognito"
    assistant_voice: str | None = None
    mode: Name | None = None
    language: Language | None = None
    vad_sensitivity: Sensitivity | None = None
    silence_duration_ms: SilenceMs | None = None
    save_transcript: bool | None = None  # false: of this session's turns only metadata is kept


class IceServer(_Reply):
    """W3C RTCIceServer."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


class SessionReply(_Reply):
    """The minimal reply has ``client_secret`` and ``session_config``; ours adds the rest."""

    client_secret: Annotated[str, Field(min_length=1)]
    session_config: dict[str, Any] = {}
    thread_id: str | None = None
    user_id: str | None = None
    memory_mode: str | None = None
    expires_at: float | None = None
    calls_url: str | None = None
    ws_url: str | None = None
    secret_header: str | None = None  # where the provider wants the secret; Authorization, as a Bearer, by default
    audio_codec: str | None = None  # over WebRTC: opus (by default), pcmu or pcma
    ice_servers: list[IceServer] = []
    session_id: str | None = None
    session_token: str | None = None
    provider: str | None = None


class TranscriptEntry(_Request):
    """One line of the conversation so far, as a tool may need it."""

    role: Literal["user", "assistant"]
    content: str
    item_id: str | None = None


class ToolRequest(_Request):
    """``POST /api/voice/realtime/tools``"""

    thread_id: ThreadId
    user_id: Name | None = None
    current_user_message: str = ""
    transcript: list[TranscriptEntry] = []
    memory_mode: MemoryMode = "incognito"
    tool_name: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = {}
    call_id: str | None = None


def _all_if_unreadable(fields: object, info: ValidationInfo) -> object:
    """Who sends such a list wants something hidden: if nobody can tell what, then all of the output."""
    if fields is None or (isinstance(fields, list) and all(isinstance(field, str) for field in fields)):
        return fields or []
    return list(info.data.get("output", ()))


PrivateFields = Annotated[list[str], BeforeValidator(_all_if_unreadable)]


class ToolReply(_Reply):
    """``private_fields`` of the output are for the model, and not shown to the user.

    A tool that takes long answers ``{"status": "generating"}`` at once. With a ``task_id`` beside it the client asks
    ``tools/result`` until the result is there, and gives it to the model when nobody speaks. Without one, as from a
    backend of four endpoints, the output is all there is.
    """

    output: dict[str, Any]
    task_id: str | None = None
    private_fields: PrivateFields = []


class ResultRequest(_Request):
    """``POST /api/voice/realtime/tools/result``: only asked for a ``task_id`` that ``tools`` has answered."""

    thread_id: ThreadId
    user_id: str | None = None
    task_id: Annotated[str, Field(min_length=1, max_length=200)]


class ResultReply(_Reply):
    """Held back until the result is there, or some seconds have passed: then it is "generating" still: ask again.

    "cancelled": a newer call of the same tool took its place, or the talk is over. Any answer but 200 ends the asking,
    except those that say to try again (429, 5xx). A result is in the memory of the process that runs the tool: a
    balancer before several goes by the session token.
    """

    status: ResultStatus
    output: dict[str, Any] = {}
    private_fields: PrivateFields = []


class ToolCallRecord(_Request):
    """A tool call as a turn remembers it."""

    tool_name: Annotated[str, Field(min_length=1)]
    status: ToolStatus
    output: dict[str, Any] = {}
    error: str | None = None


class TurnRequest(_Request):
    """``POST /api/voice/realtime/turn``"""

    thread_id: ThreadId
    user_id: Name | None = None
    user_text: str = ""
    assistant_text: str = ""
    memory_mode: MemoryMode = "incognito"
    route: str | None = None
    response_style: str | None = None
    tool_calls: list[ToolCallRecord] = []
    client_turn_id: str | None = None
    outcome: Outcome = "completed"
    heard_text: str | None = None
    timings: dict[str, Any] = {}
    save_transcript: bool | None = None  # false: only metadata is kept; true is no way back from the session's false


def without_transcript(turn: TurnRequest) -> TurnRequest:
    """The turn's metadata: nothing that was spoken, nor what tools were told or answered because of it."""
    return turn.model_copy(
        update={
            "user_text": "",
            "assistant_text": "",
            "heard_text": None,
            "tool_calls": [call.model_copy(update={"output": {}, "error": None}) for call in turn.tool_calls],
            "timings": {name: value for name, value in turn.timings.items() if isinstance(value, int | float)},
            "save_transcript": False,
        }
    )


class TurnReply(_Reply):
    recorded: bool
    thread_id: str | None = None
    message_count: int | None = None


class EndRequest(_Request):
    """``POST /api/voice/realtime/end``"""

    thread_id: ThreadId
    user_id: Name | None = None
    memory_mode: MemoryMode = "incognito"
    feedback: Feedback | None = None
    session_id: Name | None = None


class EndReply(_Reply):
    finalized: bool
    summary: str | None = None
    detail: str | None = None
    themes: list[str] = []
    mood_opened: str | None = None
    mood_closed: str | None = None
    turn_count: int | None = None
    open_loops: list[str] = []
    resolved_threads: list[str] = []


class ConfigRequest(_Request):
    """``POST /api/voice/realtime/config``: what of a running session is to change."""

    thread_id: ThreadId
    user_id: Name | None = None
    mode: str | None = None
    voice: str | None = None


class ConfigReply(_Reply):
    """``session`` is for the ``session.update`` that changes it."""

    session: dict[str, Any]


class ThreadReply(_Reply):
    """``GET /api/threads/{thread_id}/status``, and each entry of a list. Times are ISO 8601, UTC."""

    thread_id: str
    guest: bool  # it has no user
    created_at: datetime
    active_at: datetime  # when its last turn was recorded
    turn_count: int
    message_count: int
    open_turns: int  # not finalized yet
    finalization: FinalizationStatus
    finalized_at: datetime | None = None
    failure: str | None = None  # why it failed; POST /api/threads/{thread_id}/end tries again
    feedback: Feedback | None = None  # of its last session that gave any; not in a list


class ThreadsReply(_Reply):
    """``GET /api/threads``: newest first. ``next``: what to send as ``before`` to get the ones that follow."""

    threads: list[ThreadReply]
    next: str | None = None


class Message(_Reply):
    """A transcript entry. ``source`` tells a text surface that it was spoken."""

    role: Literal["user", "assistant"]
    content: str
    source: str


class KeptTurnReply(_Reply):
    """Everything that is kept of a turn. ``messages`` are empty where ``transcript_kept`` is false."""

    number: int  # in its thread, from 1
    created_at: datetime
    session_id: str | None = None
    client_turn_id: str | None = None
    channel: str
    transcript_kept: bool
    messages: list[Message]
    heard_text: str | None = None
    outcome: str
    route: str
    response_style: str | None = None
    tool_calls: list[dict[str, Any]] = []
    grounded_lookup: dict[str, Any] | None = None
    diagnostics: dict[str, Any] = {}  # voice_runtime, tool_names, timings


class HistoryReply(_Reply):
    """``GET /api/threads/{thread_id}/history``: oldest first. ``next``: what to send as ``after`` for the rest."""

    thread_id: str
    guest: bool
    schema_version: str
    turn_count: int
    turns: list[KeptTurnReply]
    next: int | None = None


class DeletedReply(_Reply):
    """``DELETE /api/threads/{thread_id}`` and ``DELETE /api/threads``: what is gone for good."""

    threads: int
    turns: int


MemoryKind = Literal["facts", "sessions", "rules"]


class MemoryStatusReply(_Reply):
    """``GET /api/memory/status``: how much is remembered, and whether it may be brought up unasked.

    ``held``: said, but not often or plainly enough to be kept.
    """

    recall_enabled: bool
    facts: int
    sessions: int
    rules: int
    held: int = 0


class RecallRequest(_Request):
    """``PATCH /api/memory/recall``"""

    enabled: bool


class RecallReply(_Reply):
    enabled: bool


class MemoryRecord(_Reply):
    """``index``: its number as displayed, from 1; null for what is deleted. ``evidence``: the person's own words."""

    id: str  # such as fact-12
    index: int | None = None
    text: str
    evidence: str | None = None
    thread_id: str | None = None
    mentions: int = 1
    created_at: datetime
    deleted_at: datetime | None = None
    restorable_until: datetime | None = None


class MemoryListReply(_Reply):
    """``GET /api/memory/{facts,sessions,rules}``: the oldest first. ``next``: what to send as ``after`` for the rest.

    And ``GET /api/memory/deleted``: the last deleted first.
    """

    entries: list[MemoryRecord]
    next: int | None = None


class MemoryExportReply(_Reply):
    """``GET /api/memory/export``: everything that is remembered of an owner."""

    recall_enabled: bool
    facts: list[MemoryRecord]
    sessions: list[MemoryRecord]
    rules: list[MemoryRecord]
    deleted: list[MemoryRecord] = []


class LiveSessionReply(_Reply):
    """A session that is alive: how much and how long, never what."""

    session_id: str
    memory_mode: str
    state: str
    age_s: float
    idle_s: float
    bytes_in: int
    bytes_out: int
    turns: int
    tool_calls: int


class LiveSessionsReply(_Reply):
    sessions: list[LiveSessionReply]


class CrisisEntryReply(_Reply):
    """An entry of the crisis log: what was done and found, never what was said, by whom or on which thread."""

    created_at: datetime
    kind: str  # crisis, missed_crisis, invented_number
    memory_mode: str
    session_id: str | None = None
    tools: list[str] = []
    lookup_status: str | None = None
    risk_level: str | None = None
    numbers: int = 0
    judged_by: str | None = None


class CrisisLogReply(_Reply):
    """``GET /api/admin/crisis``: newest first, at most 100."""

    entries: list[CrisisEntryReply]


class ErrorDetail(_Reply):
    code: str
    message: str


class ErrorBody(_Reply):
    """``{"detail": {"code", "message"}}``"""

    detail: ErrorDetail
