"""The mouth: what the server says, paced in real time, silence in between.

Law: 20 ms every 20 ms for as long as the call lasts, so that the RTP clock never stops; what is hushed is never heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Schedule

LOOKAHEAD_MS = 2000  # ms of speech that may wait here; a response that has said more is still being made

_PER_MS = SAMPLE_RATE // 1000


class Mouth:
    """``on_started(response_id)`` with the first sample of a response, ``on_drained()`` when nothing is left to say."""

    def __init__(self, *, on_started: Callable[[str], None], on_drained: Callable[[], None]) -> None:
        self._on_started = on_started
        self._on_drained = on_drained
        self._loop = asyncio.get_running_loop()
        self._schedule: Schedule | None = None
        self._queue = silence(0)
        self._response_id: str | None = None
        self._announced: str | None = None
        self._said_ms = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def said_ms(self) -> int:
        """How much of the present response has gone out."""
        return self._said_ms

    async def room(self) -> None:
        """Return when less than LOOKAHEAD_MS is waiting."""
        await self._room.wait()

    def say(self, response_id: str, frame: AudioFrame) -> None:
        """Queue 48 kHz sound of a response."""
        if response_id != self._response_id:
            self._response_id, self._said_ms = response_id, 0
        self._queue = np.concatenate([self._queue, frame.samples])
        self._update_room()

    def hush(self) -> None:
        self._queue = silence(0)
        self._update_room()

    async def read(self) -> AudioFrame:
        """The next frame, when it is due."""
        now = self._loop.time()
        self._schedule = self._schedule or Schedule(now)
        if (wait := self._schedule.deadline - now) > 0:
            await asyncio.sleep(wait)
        self._schedule.claim(self._loop.time())
        return AudioFrame(self._next(), SAMPLE_RATE)

    def _next(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        if not self._queue.size:
            return silence(FRAME_SAMPLES)
        out, head = silence(FRAME_SAMPLES), self._queue[:FRAME_SAMPLES]
        out[: head.size] = head
        self._queue = self._queue[FRAME_SAMPLES:]
        self._said_ms += FRAME_MS
        if self._announced != self._response_id and self._response_id is not None:
            self._announced = self._response_id
            self._on_started(self._response_id)
        if not self._queue.size:
            self._on_drained()
        self._update_room()
        return out

    def _update_room(self) -> None:
        if self._queue.size < LOOKAHEAD_MS * _PER_MS:
            self._room.set()
        else:
            self._room.clear()
