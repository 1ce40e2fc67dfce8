"""Typed lines: each is said in the talk, or is one of the few commands that begin with a slash.

Law: they are served one after the other, so that what a command changes holds for the lines after it. A line that is
no command is said as it stands, whatever it begins with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.notices import Notice, Problem
from couchvoice.errors import MessageTooLarge, NotConnected, UpdateRefused

TEXT = "/text"
VOICE = "/voice"

_UNHEARD = "no sound will be heard: this talk has no loudspeaker (--output names one)"


class TypedLines:
    """``ended`` is set when there are no more and all of them have been said. ``audible``: somebody can hear."""

    def __init__(
        self,
        session: VoiceSession,
        *,
        show: Callable[[Notice], None],
        show_hint: Callable[[str], None],
        audible: bool,
    ) -> None:
        self.ended = asyncio.Event()
        self._session = session
        self._show = show
        self._show_hint = show_hint
        self._audible = audible
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()  # not bounded: it holds what somebody has typed

    def put(self, line: str) -> None:
        self._lines.put_nowait(line)

    def end(self) -> None:
        """Nothing more can be typed."""
        self._lines.put_nowait(None)

    async def serve(self) -> None:
        """Until there are no more."""
        while (line := await self._lines.get()) is not None:
            await self._serve(line)
        self.ended.set()

    async def _serve(self, line: str) -> None:
        try:
            if line == TEXT:
                await self._session.set_modalities("text")
            elif line == VOICE:
                if not self._audible:
                    self._show_hint(_UNHEARD)
                await self._session.set_modalities("audio")
            else:
                self._session.send_message(line)
        except NotConnected:
            pass  # the talk ended as Enter was pressed
        except (MessageTooLarge, UpdateRefused) as exc:
            self._show(Problem(exc.code, str(exc)))
