"""A call that a cassette answers: the same WebRTC line, without ears, engines or a dialogue.

    resource            acquired        released
    line                answer()        close(), which run() calls at its end
    beat (a task)       run()           with run()

Law: as in peer.py; and a client that does otherwise than the cassette knows is told how, and hung up on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Pace
from couchvoice.cassette import CASSETTE_MISMATCH
from couchvoice.local.line import Line
from couchvoice.local.manners import Manners
from couchvoice.local.replay.player import Mismatch, Player, Tape

log = logging.getLogger("couchvoice.local.replay")


class ReplayCall:
    """``answer`` first, then ``run`` until the call is over. A Party of its line."""

    def __init__(self, call_id: str, tape: Tape, manners: Manners) -> None:
        self.call_id = call_id
        self._player = Player(tape)
        self._lifetime = manners.lifetime
        self._line = Line(call_id, self, manners, read=self._read)
        self._joined: set[Callable[[dict[str, Any] | str], None]] = set()
        self._pace = Pace()
        self._is_open = False
        self._failure: Mismatch | None = None
        self._over = asyncio.Event()

    async def answer(self, offer: str, *, channel_id: int | None = None) -> str:
        """As Line.answer."""
        return await self._line.answer(offer, channel_id=channel_id)

    async def run(self) -> None:
        """Serve the call until it is over; releases everything."""
        try:
            async with asyncio.TaskGroup() as tasks:
                companions = [self._line.listen, self._line.await_open, self._beat]
                running = [tasks.create_task(companion(), name=f"{self.call_id}-replay") for companion in companions]
                await self._until_over()
                for task in running:
                    task.cancel()
        finally:
            await self.close()

    def hang_up(self) -> None:
        self._over.set()

    def join(self, tell: Callable[[dict[str, Any] | str], None]) -> None:
        """From now on somebody else is told what the client is told."""
        self._joined.add(tell)

    def leave(self, tell: Callable[[dict[str, Any] | str], None]) -> None:
        self._joined.discard(tell)

    async def over(self) -> None:
        """Return when the call is over."""
        await self._over.wait()

    async def close(self) -> None:
        """Release everything. May be called twice."""
        self.stop()
        await self._line.close()

    # The party

    def open(self) -> None:
        self._is_open = True

    def receive(self, message: str | bytes) -> None:
        try:
            self._player.receive(message)
        except Mismatch as exc:
            self._fail(exc)

    def hear(self, frame: AudioFrame) -> None:
        """A cassette has no ears: what the user says is known to be the same."""

    def miss(self, gap_ms: float) -> None:
        """As ``hear``."""

    def stop(self) -> None:
        self._over.set()

    # Behind

    async def _until_over(self) -> None:
        try:
            async with asyncio.timeout(self._lifetime):
                await self._over.wait()
        except TimeoutError:
            log.info("- %s has lasted %g s", self.call_id, self._lifetime)
            self.stop()
        if self._failure is not None:
            await self._line.flush()

    async def _read(self) -> AudioFrame:
        """The line asks for a frame: this is the beat of the play."""
        await self._pace.wait()
        if not self._is_open or self._over.is_set():
            return AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE)
        try:
            step = self._player.step()
        except Mismatch as exc:
            self._fail(exc)
            return AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE)
        for event in step.events:
            self._send(event)
        return AudioFrame(step.sound, SAMPLE_RATE)

    async def _beat(self) -> None:
        """In place of the line's, when the caller does not want to hear anything."""
        while not self._line.audible:
            await self._read()

    def _send(self, event: Any) -> None:
        told = event if isinstance(event, str | dict) else msgspec.json.encode(event).decode()
        self._line.send(told)
        for tell in list(self._joined):
            tell(told)

    def _fail(self, failure: Mismatch) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        # The diff itself holds what was said: it goes to the client only.
        log.warning("x %s: the client does not do what the cassette knows", self.call_id)
        error = {"type": "invalid_request_error", "code": CASSETTE_MISMATCH, "message": str(failure)}
        self._send({"type": "error", "event_id": "event_of_the_cassette", "error": error})
        self.stop()
