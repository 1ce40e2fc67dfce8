"""The audience of a talk: the application's callbacks, whoever iterates over the notices, the transcript, the status.

Law: nothing that the audience does, or fails to do, reaches the talk: callbacks may raise, notices may stay unread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from couchvoice.audio.frames import AudioFrame
from couchvoice.core.notices import AssistantTranscript, Notice, Problem, StateChanged, UserTranscript
from couchvoice.core.state import SessionState
from couchvoice.errors import CouchvoiceError, MicrophoneDenied

log = logging.getLogger("couchvoice.client.audience")

MAX_UNREAD_NOTICES = 10_000  # then the oldest is dropped: nobody reads them

_STATUS = {
    SessionState.CONNECTING: "connecting",
    SessionState.WARMING: "connecting",
    SessionState.LISTENING: "connected",
    SessionState.USER_SPEAKING: "connected",
    SessionState.THINKING: "connected",
    SessionState.ASSISTANT_SPEAKING: "connected",
}
_DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Of the application, called on the event loop."""

    on_transcript: Callable[[str, bool], None] | None = None
    on_audio: Callable[[AudioFrame], None] | None = None
    on_error: Callable[[CouchvoiceError], None] | None = None
    on_connection_change: Callable[[str], None] | None = None


class Audience:
    """An async iterator of everything that happens, in order, until ``leave``."""

    def __init__(self, callbacks: Callbacks) -> None:
        self.status = _DISCONNECTED
        self._callbacks = callbacks
        self._notices: asyncio.Queue[Notice | None] = asyncio.Queue(MAX_UNREAD_NOTICES)
        self._said: dict[str, str] = {}  # item or response id -> line

    @property
    def transcript(self) -> tuple[str, ...]:
        return tuple(self._said.values())

    async def __aiter__(self) -> AsyncIterator[Notice]:
        while (notice := await self._notices.get()) is not None:
            yield notice
        self._put(None)  # whoever asks later learns it too

    def tell(self, notice: Notice) -> None:
        match notice:
            case StateChanged(state):
                self._change_status(_STATUS.get(state, _DISCONNECTED))
            case UserTranscript(item_id, text, final):
                self._said[item_id] = text
                self._call(self._callbacks.on_transcript, text, final)
            case AssistantTranscript(response_id, text):
                self._said[response_id] = text
            case Problem(code, message):
                log.info("x %s: %s", code, message)  # whoever is shown the notice needs no warning
        self._put(notice)

    def overhear(self, frame: AudioFrame) -> None:
        """The provider's sound."""
        self._call(self._callbacks.on_audio, frame)

    def fail(self, failure: CouchvoiceError, *, was_open: bool) -> None:
        """The talk could not begin, or broke."""
        # A talk that did not come about leaves things as they were: disconnected.
        broken = "expired" if failure.code == "session_expired" else "error"
        if isinstance(failure, MicrophoneDenied):
            self._change_status(failure.code)
        else:
            self._change_status(broken if was_open else _DISCONNECTED)
        self._call(self._callbacks.on_error, failure)

    def leave(self) -> None:
        """The talk is over: the iterators end when they have told everything."""
        self._put(None)

    def _put(self, notice: Notice | None) -> None:
        if self._notices.full():
            self._notices.get_nowait()
        self._notices.put_nowait(notice)

    def _change_status(self, status: str) -> None:
        if status != self.status:
            self.status = status
            self._call(self._callbacks.on_connection_change, status)

    def _call(self, callback: Callable[..., None] | None, *arguments: object) -> None:
        if callback is None:
            return
        # One item of a serving loop: an application's mistake must not end the talk.
        try:
            callback(*arguments)
        except Exception:
            log.exception("x a callback of the application failed")
