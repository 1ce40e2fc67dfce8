"""Typed lines: each is said in the talk, or is one of the few commands that begin with a slash.

Law: they are served one after the other, so that what a command changes holds for the lines after it; those of a
script each after the answer to the one before. A line that is no command is said as it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from couchvoice.apps.screen import clean
from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.notices import Notice, Problem
from couchvoice.errors import BackendError, ConfigError, InvalidState, MessageTooLarge, NotConnected, UpdateRefused

TEXT = "/text"
VOICE = "/voice"
MUTE = "/mute"
UNMUTE = "/unmute"
MODE = "/mode "  # and its name
FEEDBACK = "/feedback "  # and positive, negative, or skip
ANSWER_TIMEOUT = 60.0  # seconds; then the next line of a script is said all the same

_WRITTEN = "the next answers will be written"
_SPOKEN = "the next answers will be spoken"
_OTHER_MODE = "the mode holds from the next answer on"
_NOTED = "thank you: it goes with the end of this talk"
_UNHEARD = "no sound will be heard: this talk has no loudspeaker (--output names one)"


class TypedLines:
    """``ended`` is set when there are no more and all of them have been said.

    ``audible``: somebody can hear. ``patient``: each line waits for the answer to the one before.
    """

    def __init__(
        self,
        session: VoiceSession,
        *,
        show: Callable[[Notice], None],
        show_hint: Callable[[str], None],
        audible: bool,
        patient: bool,
    ) -> None:
        self.ended = asyncio.Event()
        self._session = session
        self._show = show
        self._show_hint = show_hint
        self._audible = audible
        self._patient = patient
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()  # not bounded: it holds what somebody has typed

    def put(self, line: str) -> None:
        self._lines.put_nowait(line)

    def end(self) -> None:
        """Nothing more can be typed."""
        self._lines.put_nowait(None)

    async def serve(self) -> None:
        """Until there are no more."""
        while (line := await self._lines.get()) is not None:
            if self._patient:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_TIMEOUT):
                        await self._session.quiet()
            await self._serve(line)
        self.ended.set()

    async def _serve(self, line: str) -> None:
        try:
            if line == TEXT:
                await self._session.set_modalities("text")
                self._show_hint(_WRITTEN)
            elif line == VOICE:
                await self._session.set_modalities("audio")
                self._show_hint(_SPOKEN if self._audible else _UNHEARD)
            elif line == MUTE:
                self._session.mute()  # the screens show it
            elif line == UNMUTE:
                self._session.unmute()
            elif line.startswith(MODE):
                await self._session.configure(mode=line.removeprefix(MODE).strip())
                self._show_hint(_OTHER_MODE)
            elif line.startswith(FEEDBACK):
                self._session.give_feedback(line.removeprefix(FEEDBACK).strip())
                self._show_hint(_NOTED)
            elif clean(line):  # nobody says a lone NUL
                self._session.send_message(line)
        except NotConnected:
            pass  # the talk ended as Enter was pressed
        except (BackendError, ConfigError, InvalidState, MessageTooLarge, UpdateRefused) as exc:
            if exc.code != NotConnected.code:  # as above
                self._show(Problem(exc.code, str(exc)))
