"""Updates: changes of the running session, one after the other, each until the provider has answered it.

Not what may be changed: that is ``core.session_update``'s. Law: what cannot be sent is refused before the session
hears of it, and whoever waits is always answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from couchvoice.client.backend import Backend
from couchvoice.core.client_events import SessionUpdate, encode_client_event
from couchvoice.core.effects import Effect
from couchvoice.core.notices import Problem
from couchvoice.core.session import Session
from couchvoice.core.session_update import (
    VOICE_IS_FIXED,
    Changes,
    Modality,
    modality_of,
    speed_of,
    turn_detection_of,
    without_voice,
)
from couchvoice.errors import ConfigError, UpdateRefused


class Updates:
    """Every change raises ConfigError, NotConnected, UpdateRefused.

    ``answered`` is called once for each that was sent.
    """

    def __init__(self, session: Session, backend: Backend, perform: Callable[[list[Effect]], None]) -> None:
        self._session = session
        self._backend = backend
        self._perform = perform
        self._answer: asyncio.Future[Problem | None] | None = None  # to the last one, given or not

    async def set_turn_detection(self, detection: Mapping[str, Any] | None) -> None:
        if detection is not None and not isinstance(detection, Mapping):
            raise ConfigError(f"a turn detection of {detection!r}: write a mapping, such as server_vad's, or None")
        await self._make(turn_detection_of(detection))

    async def set_speed(self, speed: float) -> None:
        # True is a number to Python, and none to the provider.
        if isinstance(speed, bool) or not isinstance(speed, int | float):
            raise ConfigError(f"a speed of {speed!r}: write a number")
        await self._make(speed_of(speed))

    async def set_modalities(self, modality: Modality) -> None:
        await self._make(modality_of(modality))

    async def configure(self, *, mode: str | None, voice: str | None) -> None:
        """Ask the backend for what changes with these, and the provider to take it. Raises BackendError, too.

        A mode's own voice is left out where it comes too late.
        """
        self._session.require_talk()
        changes = (await self._backend.configure(mode=mode, voice=voice)).session
        try:
            await self._make(changes)
        except UpdateRefused as exc:
            if voice is not None or exc.code != VOICE_IS_FIXED:
                raise
            await self._make(without_voice(changes))

    def answered(self, problem: Problem | None) -> None:
        assert self._answer is not None  # nothing is answered that was not sent
        self._answer.set_result(problem)

    async def _make(self, changes: Changes) -> None:
        """Return when the provider has taken the changes."""
        _require_json(changes)
        while self._answer is not None and not self._answer.done():
            await asyncio.wait({self._answer})
        loop = asyncio.get_running_loop()
        sending = self._session.update(changes, loop.time())
        self._answer = answer = loop.create_future()
        self._perform(sending)
        # Whoever waits may be cancelled; the answer comes all the same, and the next update waits for it.
        if (problem := await asyncio.shield(answer)) is not None:
            raise UpdateRefused(problem.code, problem.message)


def _require_json(changes: Changes) -> None:
    try:
        encode_client_event(SessionUpdate("", dict(changes)))
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        raise ConfigError(f"the session cannot be changed to what is no JSON: {exc}") from exc
