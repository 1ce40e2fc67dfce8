"""The mouth: what the server says, paced in real time, silence in between.

Law: 20 ms every 20 ms for as long as the call lasts, so that the RTP clock never stops; one response after the other;
what is hushed is never heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.pacing import Pace

LOOKAHEAD_MS = 2000  # ms of speech that may wait here; a response that has said more is still being made

_PER_MS = SAMPLE_RATE // 1000


class Mouth:
    """``on_started(response_id)`` with the first sample of a response, ``on_drained(response_id)`` after its last."""

    def __init__(self, *, on_started: Callable[[str], None], on_drained: Callable[[str], None]) -> None:
        self._on_started = on_started
        self._on_drained = on_drained
        self._pace = Pace()
        self._queue: dict[str, NDArray[np.int16]] = {}  # in the order of speaking
        self._sounding: str | None = None  # the response that was heard last
        self._said_ms = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def said_ms(self) -> int:
        """How much has gone out of the response that was heard last."""
        return self._said_ms

    async def room(self) -> None:
        """Return when less than LOOKAHEAD_MS is waiting."""
        await self._room.wait()

    def say(self, response_id: str, frame: AudioFrame) -> None:
        """Queue 48 kHz sound of a response. Nothing is no sound: it is not announced."""
        if frame.samples.size:
            self._queue[response_id] = np.concatenate([self._queue.get(response_id, silence(0)), frame.samples])
            self._update_room()

    def hush(self, response_id: str) -> None:
        """Forget what is queued of a response; if it speaks again, that is a new start."""
        self._queue.pop(response_id, None)
        if self._sounding == response_id:
            self._sounding = None
        self._update_room()

    async def read(self) -> AudioFrame:
        """The next frame, when it is due."""
        await self._pace.wait()
        return AudioFrame(self._next(), SAMPLE_RATE)

    def _next(self) -> NDArray[np.int16]:
        out = silence(FRAME_SAMPLES)
        response_id = next(iter(self._queue), None)
        if response_id is None:
            return out
        if response_id != self._sounding:
            self._sounding, self._said_ms = response_id, 0
            self._on_started(response_id)
        # What waits is looked up only now: whoever is told may hush or say more.
        waiting = self._queue.pop(response_id, silence(0))
        head, rest = waiting[:FRAME_SAMPLES], waiting[FRAME_SAMPLES:]
        out[: head.size] = head
        self._said_ms += FRAME_MS
        if rest.size:
            self._queue = {response_id: rest, **self._queue}
        self._update_room()
        if not rest.size:
            self._on_drained(response_id)
        return out

    def _update_room(self) -> None:
        if sum(samples.size for samples in self._queue.values()) < LOOKAHEAD_MS * _PER_MS:
            self._room.set()
        else:
            self._room.clear()
