"""The endpoints of a talk: session, tools, turn, end, and what may change in between."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationInfo,
)

from couchvoice.contract.model import (
    Feedback,
    Language,
    MemoryMode,
    Name,
    Outcome,
    Reply,
    Request,
    Sensitivity,
    SilenceMs,
    ThreadId,
    ToolStatus,
)

SESSION_PATH = "/api/voice/realtime/session"
TOOLS_PATH = "/api/voice/realtime/tools"
RESULT_PATH = "/api/voice/realtime/tools/result"
TURN_PATH = "/api/voice/realtime/turn"
END_PATH = "/api/voice/realtime/end"
CONFIG_PATH = "/api/voice/realtime/config"
SESSION_TOKEN_HEADER = "X-Couchvoice-Session"

# The code of 503 while the backend has no provider: switched off, without a key, or not to be reached.
UNAVAILABLE = "realtime_unavailable"

ResultStatus = Literal["generating", "completed", "failed", "cancelled"]

GENERATING = "generating"  # ``status`` in the output of a tool whose result comes later

# OpenAI's realtime voices, as the session config knows them.
VOICES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")


class SessionRequest(Request):
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


class IceServer(Reply):
    """W3C RTCIceServer."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


class SessionReply(Reply):
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


class TranscriptEntry(Request):
    """One line of the conversation so far, as a tool may need it."""

    role: Literal["user", "assistant"]
    content: str
    item_id: str | None = None


class ToolRequest(Request):
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


class ToolReply(Reply):
    """``private_fields`` of the output are for the model, and not shown to the user.

    A tool that takes long answers ``{"status": "generating"}`` at once. With a ``task_id`` beside it the client asks
    ``tools/result`` until the result is there, and gives it to the model when nobody speaks. Without one, as from a
    backend of four endpoints, the output is all there is.
    """

    output: dict[str, Any]
    task_id: str | None = None
    private_fields: PrivateFields = []


class ResultRequest(Request):
    """``POST /api/voice/realtime/tools/result``: only asked for a ``task_id`` that ``tools`` has answered."""

    thread_id: ThreadId
    user_id: str | None = None
    task_id: Annotated[str, Field(min_length=1, max_length=200)]


class ResultReply(Reply):
    """Held back until the result is there, or some seconds have passed: then it is "generating" still: ask again.

    "cancelled": a newer call of the same tool took its place, or the talk is over. Any answer but 200 ends the asking,
    except those that say to try again (429, 5xx). A result is in the memory of the process that runs the tool: a
    balancer before several goes by the session token.
    """

    status: ResultStatus
    output: dict[str, Any] = {}
    private_fields: PrivateFields = []


class ToolCallRecord(Request):
    """A tool call as a turn remembers it."""

    tool_name: Annotated[str, Field(min_length=1)]
    status: ToolStatus = "completed"
    output: dict[str, Any] = {}
    error: str | None = None


class TurnRequest(Request):
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


class TurnReply(Reply):
    recorded: bool
    thread_id: str | None = None
    message_count: int | None = None


class EndRequest(Request):
    """``POST /api/voice/realtime/end``"""

    thread_id: ThreadId
    user_id: Name | None = None
    memory_mode: MemoryMode = "incognito"
    feedback: Feedback | None = None
    session_id: Name | None = None


class EndReply(Reply):
    finalized: bool
    summary: str | None = None
    detail: str | None = None
    themes: list[str] = []
    mood_opened: str | None = None
    mood_closed: str | None = None
    turn_count: int | None = None
    open_loops: list[str] = []
    resolved_threads: list[str] = []


class ConfigRequest(Request):
    """``POST /api/voice/realtime/config``: what of a running session is to change."""

    thread_id: ThreadId
    user_id: Name | None = None
    mode: str | None = None
    voice: str | None = None


class ConfigReply(Reply):
    """``session`` is for the ``session.update`` that changes it."""

    session: dict[str, Any]
