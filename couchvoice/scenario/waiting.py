"""Waiting for what happens in a conversation, never longer than a bound.

Law: no polling; whoever waits is woken by what is told.
"""

from __future__ import annotations

import asyncio

from couchvoice.core.notices import StateChanged, ToolActivity
from couchvoice.core.state import SessionState
from couchvoice.errors import NotConnected
from couchvoice.scenario.script import Moment
from couchvoice.scenario.stage import Stage

LAST_WORDS = 1.5  # seconds after the last sample in which the server may still find out that somebody spoke


class Waiting:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._spoken = stage.observed.since(0)  # since the user last began to say something
        self._words_until = 0.0  # the loop's time; before it quiet means nothing
        self._loop = asyncio.get_running_loop()

    def speech_begins(self) -> None:
        self._spoken = self._stage.observed.since(len(self._stage.observed.notices))

    def speech_ended(self) -> None:
        self._words_until = self._loop.time() + LAST_WORDS

    async def until(self, moment: Moment, *, within: float) -> bool:
        """Whether it came. At the end of the talk nothing comes any more."""
        if moment == "quiet":
            return await self.settled(within=within)
        await self._stage.observed.until(lambda: self._has_come(moment) or not self._stage.is_open, within=within)
        return self._has_come(moment)

    async def settled(self, *, within: float) -> bool:
        """Whether nobody speaks and nothing is owed: at once where there is no talk."""
        session = self._stage.session
        if session is None or not self._stage.is_open:
            return True
        try:
            async with asyncio.timeout(within):
                await asyncio.sleep(self._words_until - self._loop.time())
                quiet = asyncio.create_task(session.quiet(), name="quiet")
                over = asyncio.create_task(session.wait_ended(), name="over")
                try:
                    await asyncio.wait({quiet, over}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    quiet.cancel()
                    over.cancel()
        except TimeoutError:
            return False
        except NotConnected:
            pass  # it is over: quieter than that nothing is
        return True

    def _has_come(self, moment: Moment) -> bool:
        match moment:
            case "transcript":
                return self._spoken.user_is_heard
            case "tool":
                return any(isinstance(notice, ToolActivity) for _, notice in self._spoken.notices)
            case _:
                speaking = StateChanged(SessionState.ASSISTANT_SPEAKING)
                return any(notice == speaking for _, notice in self._spoken.notices)
