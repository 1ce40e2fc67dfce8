"""Opening a session: what it may know, what is asked of the provider, and the secret that lets its client in.

Law: one secret for each request; nothing of a persistent thread is read for an incognito session; while realtime
voice is switched off nobody is asked for anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from couchvoice.backend.briefing import Briefing
from couchvoice.backend.figures import Figures
from couchvoice.backend.guard import Caller
from couchvoice.backend.language import chosen_language
from couchvoice.backend.limits import Limits
from couchvoice.backend.modes.mode import Mode
from couchvoice.backend.providers import ClientSecret, Failure, Provider, ProviderFailed
from couchvoice.backend.recollection import Recollections
from couchvoice.backend.refusals import Refused
from couchvoice.backend.session_config import session_config
from couchvoice.backend.session_id import owner_hash
from couchvoice.backend.session_scope import SessionScope
from couchvoice.backend.sessions import LiveSession, LiveSessions
from couchvoice.backend.store import Store
from couchvoice.contract import UNAVAILABLE, SessionRequest
from couchvoice.session_settings import SessionSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """``config`` is bound to the secret."""

    live: LiveSession
    secret: ClientSecret
    config: Mapping[str, Any]


class SessionOpener:
    """``enabled`` False: realtime voice is switched off."""

    def __init__(
        self,
        *,
        provider: Provider,
        settings: SessionSettings,
        sessions: LiveSessions,
        store: Store,
        recollections: Recollections,
        limits: Limits,
        figures: Figures,
        scope: SessionScope,
        enabled: bool,
    ) -> None:
        self._provider = provider
        self._settings = settings
        self._sessions = sessions
        self._store = store
        self._recollections = recollections
        self._limits = limits
        self._figures = figures
        self._scope = scope
        self._enabled = enabled

    async def open(self, request: SessionRequest, *, caller: Caller, mode: Mode) -> Opened:
        """For the caller, whatever the request claims. Raises Refused, and ProviderFailed."""
        briefing = self._briefing(request, caller.user(request.user_id))
        with self._figures.opening(self._provider.name, briefing.owner, briefing.memory_mode):
            return await self._open(request, briefing, caller=caller, mode=mode)

    async def _open(self, request: SessionRequest, briefing: Briefing, *, caller: Caller, mode: Mode) -> Opened:
        self.require_enabled()
        await self._scope.require_free(briefing.thread_id, caller=caller, mode=briefing.memory_mode)
        await self._limits.spend_session(caller, briefing.owner)
        config = session_config(
            self._settings,
            await self._with_learnt_silence(request, briefing),
            language=briefing.language,
            mode=mode.config(briefing, await self._recollections.of(briefing)),
            voice=mode.voice,
            model=self._provider.place.model,
        )
        secret = await self._provider.mint(config, safety_identifier=owner_hash(briefing.owner))
        self._figures.reconnects += any(
            session.briefing.thread_id == briefing.thread_id and session.briefing.owner == briefing.owner
            for session in self._sessions.active()
        )
        live = self._sessions.open(briefing)
        if briefing.memory_mode == "persistent":
            await self._store.sessions.keep(live.session_id, live.token, briefing)
        return Opened(live, secret, config)

    async def _with_learnt_silence(self, request: SessionRequest, briefing: Briefing) -> SessionRequest:
        """Where the settings allow it, and nobody asked for a silence of so many ms."""
        asked = self._settings.silence_duration_ms
        if (
            not self._settings.adaptive_vad
            or briefing.memory_mode == "incognito"
            or self._settings.turn_detection != "server_vad"
            or request.silence_duration_ms is not None
        ):
            return request
        learnt = await self._store.pauses.opened(briefing.owner, default=asked)
        return request.model_copy(update={"silence_duration_ms": learnt})

    def require_enabled(self) -> None:
        """Raises Refused (503)."""
        if not self._enabled:
            raise switched_off()

    def _briefing(self, request: SessionRequest, user_id: str | None) -> Briefing:
        return Briefing(
            thread_id=request.thread_id,
            user_id=user_id,
            memory_mode=request.memory_mode,
            language=chosen_language(request.language, self._settings.language),
            save_transcript=request.save_transcript is not False,
        )


def switched_off() -> Refused:
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, "realtime voice is switched off: see COUCHVOICE_REALTIME_ENABLED"
    )


@contextmanager
def refusing_failures() -> Iterator[None]:
    """A provider that cannot serve now is 503, one that answers wrongly is 502."""
    try:
        yield
    except ProviderFailed as exc:
        if exc.failure in (Failure.NO_KEY, Failure.UNREACHABLE):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE, str(exc)) from exc
        raise Refused(HTTPStatus.BAD_GATEWAY, exc.code, str(exc)) from exc
