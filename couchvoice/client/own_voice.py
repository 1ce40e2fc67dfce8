"""Our own voice: speaks what the provider only wrote, through the playout buffer, in place of the provider's silence.

Not a synthesizer: that is the application's. Law: one answer after the other; whoever stops it is not
spoken to any more; sound of the provider's goes before ours; to fail to speak ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import numpy as np

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, is_audible
from couchvoice.audio.pacing import Pace
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.resample import Resampler
from couchvoice.core.ear import SYNTHESIS_TIMEOUT
from couchvoice.core.notices import Notice, Problem
from couchvoice.core.server_events import OutputBufferStarted, OutputBufferStopped

log = logging.getLogger("couchvoice.client.own_voice")

DRAIN_FRAMES = 50  # of 20 ms: a loudspeaker that stands still is not waited for longer

Speak = Callable[[str], Awaitable[AudioFrame]]


class OwnVoice:
    """``tell`` is fed the events that a provider sends of its own sound; ``observe`` learns of failures."""

    def __init__(
        self,
        speak: Speak,
        playout: PlayoutBuffer,
        *,
        tell: Callable[[OutputBufferStarted | OutputBufferStopped], None],
        observe: Callable[[Notice], None],
    ) -> None:
        self._speak = speak
        self._playout = playout
        self._tell = tell
        self._observe = observe
        self._floor = asyncio.Lock()
        self._speeches: dict[str, asyncio.Task[None]] = {}  # awaited by the group that they are begun in
        self._closed = False
        self._sounding = False

    def begin(self, response_id: str, text: str, tasks: asyncio.TaskGroup) -> None:
        """Speak it when those before it have been spoken."""
        if self._closed:
            return
        speech = self._speeches[response_id] = tasks.create_task(
            self._say(response_id, text), name=f"speak-{response_id}"
        )
        # A task that is cancelled before its first step runs no line of its own.
        speech.add_done_callback(lambda _: self._end(response_id))

    def stop(self) -> None:
        """What is spoken and what waits to be. The sound that is queued already is the playout's."""
        for speech in self._speeches.values():
            speech.cancel()

    def close(self) -> None:
        """Stop for good, and tell nothing of it: what the end of a talk cuts was not heard out. Idempotent."""
        self._closed = True
        self.stop()

    def covers(self, frame: AudioFrame) -> bool:
        """Whether our sound stands in place of this frame of the provider's. One that can be heard stops us."""
        if self._sounding and is_audible(frame.samples):
            self._sounding = False
            self.stop()
        return self._sounding

    @property
    def sounding(self) -> bool:
        return self._sounding

    async def _say(self, response_id: str, text: str) -> None:
        try:
            async with self._floor:
                await self._speak_and_play(response_id, text)
        finally:
            self._end(response_id)

    async def _speak_and_play(self, response_id: str, text: str) -> None:
        try:
            async with asyncio.timeout(SYNTHESIS_TIMEOUT):
                speech = await self._speak(text)
            self._tell(OutputBufferStarted(response_id=response_id))
            await self._play(speech)
        except Exception:
            # One item of a serving loop, made by the application: the words have been shown.
            log.exception("x the answer %s could not be spoken", response_id)
            self._observe(Problem("speech_failed", "an answer could not be spoken here"))
        finally:
            self._sounding = False

    def _end(self, response_id: str) -> None:
        if self._speeches.pop(response_id, None) is not None and not self._closed:
            self._tell(OutputBufferStopped(response_id=response_id))

    async def _play(self, speech: AudioFrame) -> None:
        resampler, pace = Resampler(speech.rate, SAMPLE_RATE), Pace()
        samples = np.concatenate([resampler.push(speech.samples), resampler.flush()])
        self._sounding = True
        for start in range(0, samples.size, FRAME_SAMPLES):
            await pace.wait()
            self._playout.push(AudioFrame(samples[start : start + FRAME_SAMPLES], SAMPLE_RATE))
        for _ in range(DRAIN_FRAMES):
            if not self._playout.buffered_ms:
                break
            await pace.wait()
