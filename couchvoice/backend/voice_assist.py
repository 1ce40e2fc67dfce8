"""VoiceAssist's way to a session, for its clients: over WebSocket, with no tools.

Law: what it hands out is a short-lived token, never the API key. A conversation that is named goes on: its last turns
are told to the assistant; one that is not begins and stays incognito.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from couchvoice.backend.guard import CurrentCaller
from couchvoice.backend.instructions import instructions_without_tools
from couchvoice.backend.modes.mode import Mode
from couchvoice.backend.opener import Opened, SessionOpener
from couchvoice.backend.providers import Failure, Provider, ProviderFailed
from couchvoice.backend.refusals import Refused, failing_as
from couchvoice.backend.tools import ToolRegistry
from couchvoice.contract import UNAVAILABLE, Language, Sensitivity, SessionRequest, SilenceMs, ThreadId

VOICE_ASSIST_PATH = "/api/voice/realtime-session"

_AUDIO_FORMAT = "pcm16"  # at 24 kHz, mono: what its clients send and play
_FAILED = ("voice_realtime_session_failed", "the session could not be created")


class VoiceAssistRequest(BaseModel):
    """``POST /api/voice/realtime-session``"""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    conversation_id: ThreadId | None = None
    voice: str | None = None
    language: Language | None = None
    vad_sensitivity: Sensitivity | None = None
    silence_duration_ms: SilenceMs | None = None


class VoiceAssistAuth(BaseModel):
    type: str = "ephemeral_token"
    token: str
    expires_at: float


class VoiceConfig(BaseModel):
    """In the words of the beta, which its clients speak."""

    voice: str
    modalities: list[str] = ["text", "audio"]
    input_audio_format: str = _AUDIO_FORMAT
    output_audio_format: str = _AUDIO_FORMAT
    input_audio_transcription: dict[str, Any] | None
    turn_detection: dict[str, Any] | None


class VoiceAssistReply(BaseModel):
    url: str
    model: str
    session_id: str
    expires_at: float
    conversation_id: str
    auth: VoiceAssistAuth
    voice_config: VoiceConfig


class VoiceAssistEndpoint:
    def __init__(self, *, opener: SessionOpener, provider: Provider) -> None:
        self._opener = opener
        self._provider = provider
        self._mode = Mode(instructions_without_tools, ToolRegistry(()))
        self.router = APIRouter()
        self.router.add_api_route(VOICE_ASSIST_PATH, self.session, methods=["POST"])

    async def session(self, request: VoiceAssistRequest, caller: CurrentCaller) -> VoiceAssistReply:
        with failing_as(*_FAILED):
            url = self._provider.place.ws_url
            if url is None:
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    UNAVAILABLE,
                    f"the provider {self._provider.name} is not reached over WebSocket",
                )
            try:
                opened = await self._opener.open(_session_request(request), caller=caller, mode=self._mode)
            except ProviderFailed as exc:
                if exc.failure is Failure.NO_KEY:
                    raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, str(exc)) from exc
                raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, *_FAILED) from exc
            return _reply(opened, url)


def _session_request(request: VoiceAssistRequest) -> SessionRequest:
    return SessionRequest(
        thread_id=request.conversation_id or f"conv_{secrets.token_hex(16)}",
        memory_mode="persistent" if request.conversation_id else "incognito",
        assistant_voice=request.voice,
        language=request.language,
        vad_sensitivity=request.vad_sensitivity,
        silence_duration_ms=request.silence_duration_ms,
    )


def _reply(opened: Opened, url: str) -> VoiceAssistReply:
    heard, secret = opened.config["audio"]["input"], opened.secret
    return VoiceAssistReply(
        url=url,
        model=opened.config["model"],
        session_id=opened.live.session_id,
        expires_at=secret.expires_at,
        conversation_id=opened.live.briefing.thread_id,
        auth=VoiceAssistAuth(token=secret.value.reveal(), expires_at=secret.expires_at),
        voice_config=VoiceConfig(
            voice=opened.config["audio"]["output"]["voice"],
            input_audio_transcription=heard["transcription"],
            turn_detection=heard["turn_detection"],
        ),
    )
