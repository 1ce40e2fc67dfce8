"""The recorder: takes the turns to the backend, one after the other, until each is answered or given up.

Law: turns are posted in the order in which they ended, each with the same ``client_turn_id`` at every try, and no
failure of a turn reaches the talk. It outlives the talk: the client drains it before ``/end``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from couchvoice.client.backend import Backend
from couchvoice.core.notices import Notice, Problem, TurnRecorded
from couchvoice.core.turn import FinishedTurn
from couchvoice.errors import BackendError, RateLimited

log = logging.getLogger("couchvoice.client.recorder")

FIRST_DELAY = 0.3  # seconds; doubled at each try
LONGEST_DELAY = 10.0  # seconds; also for a Retry-After
TRIES = 6


class Recorder:
    """``run`` is a task of the client's, who awaits it after ``drain``."""

    def __init__(self, backend: Backend, observe: Callable[[Notice], None]) -> None:
        self._backend = backend
        self._observe = observe
        # Not bounded: an entry is a few hundred bytes and takes seconds to speak.
        self._owed: asyncio.Queue[FinishedTurn] = asyncio.Queue()
        self._current: FinishedTurn | None = None
        self._hurry = asyncio.Event()  # somebody waits for the end: no more pauses before the next try

    def put(self, turn: FinishedTurn) -> None:
        self._owed.put_nowait(turn)

    async def drain(self) -> None:
        """Return when nothing is owed. A pause before another try is cut short, once for each turn."""
        self._hurry.set()
        await self._owed.join()

    async def run(self) -> None:
        """Post what is put, until cancelled. Then whatever is still owed is given up, and said to be."""
        try:
            while True:
                self._current = await self._owed.get()
                await self._record(self._current)
                self._current = None
                self._owed.task_done()
        finally:
            self._give_up_rest()

    async def _record(self, turn: FinishedTurn) -> None:
        hurried = False
        for attempt in range(TRIES):
            try:
                reply = await self._backend.record_turn(turn)
            except BackendError as exc:
                log.info("x turn %d not recorded (try %d): %s", turn.index, attempt + 1, exc.code)
                if not exc.retryable or attempt == TRIES - 1:
                    self._observe(Problem(exc.code, str(exc)))
                    break
                hurried = await self._pause(_delay(attempt, exc), may_hurry=not hurried) or hurried
            except Exception:
                # One item of a serving loop: the next turn is owed all the same.
                log.exception("x turn %d cannot be sent", turn.index)
                self._observe(Problem("turn_failed", f"turn {turn.index} cannot be sent"))
                break
            else:
                self._observe(TurnRecorded(turn, recorded=reply.recorded, accepted=True))
                return
        self._observe(TurnRecorded(turn, recorded=False, accepted=False))

    async def _pause(self, seconds: float, *, may_hurry: bool) -> bool:
        """True: it was cut short, because somebody waits for the end."""
        try:
            async with asyncio.timeout(seconds):
                await (self._hurry if may_hurry else asyncio.Event()).wait()
        except TimeoutError:
            return False
        return True

    def _give_up_rest(self) -> None:
        rest = [self._current] if self._current else []
        while not self._owed.empty():
            rest.append(self._owed.get_nowait())
        for turn in rest:
            log.warning("x turn %d given up: the talk is over", turn.index)
            self._observe(TurnRecorded(turn, recorded=False, accepted=False))


def _delay(attempt: int, exc: BackendError) -> float:
    asked = exc.retry_after if isinstance(exc, RateLimited) else None
    ours: float = FIRST_DELAY * 2**attempt
    return min(LONGEST_DELAY, max(asked or 0.0, ours))  # "Retry-After: 0" is no leave to hammer
