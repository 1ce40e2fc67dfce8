"""The performer: does what a dialogue orders, on either transport, and feeds back what came of it.

    resource            acquired        released
    companions (tasks)  run()           with the task group of run()
    work (tasks)        orders          with the task group of run()
    doorway, timer      orders, open()  run(), at its end

Not how events and sound travel: that is the outlet's. Law: the dialogue decides, this performs, in order and without
waiting; an engine that fails is told to the dialogue and ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol, assert_never

import numpy as np

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.detector import SpeechStarted, SpeechStopped
from couchvoice.local.doorway import Doorway
from couchvoice.local.ear import Ear
from couchvoice.local.engines import Engines
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.manners import Manners
from couchvoice.local.protocol.dialogue import Dialogue
from couchvoice.local.protocol.orders import (
    ClearInput,
    Detect,
    DetectNothing,
    Emit,
    Hear,
    Hush,
    Order,
    Recognize,
    Speak,
    Think,
    Transcribe,
)

log = logging.getLogger("couchvoice.local.performer")

HEARD_AT_ONCE = 100  # ms of appended sound between two looks at the other sessions
HEARING_TIMEOUT = 15.0  # seconds for the words of an utterance
THINKING_TIMEOUT = 30.0  # seconds for the first part of a reply, and for each further one
SPEAKING_TIMEOUT = 20.0  # seconds for the sound of a sentence

_EngineOrder = Transcribe | Recognize | Think | Speak


class Outlet(Protocol):
    """How events and sound leave."""

    @property
    def heard_ms(self) -> int:
        """How much has gone out of the response that was heard last."""

    def send(self, event: dict[str, Any] | str) -> None:
        """An event, or a text that is none. Never raises."""

    @property
    def audible(self) -> bool:
        """Whether anybody hears what is uttered; if not, it need not be made."""

    async def room(self) -> None:
        """Return when more speech may be made."""

    def utter(self, order: Speak, sound: AudioFrame) -> list[Order]:
        """Put the sound of a sentence on its way, and tell the dialogue."""

    def hush(self, response_id: str) -> None:
        """Throw away what is queued to be played of a response."""

    async def flush(self) -> None:
        """Let the client take what was sent, within a bound."""

    def cut(self) -> None:
        """End the connection without a word to the client."""


class Performer:
    """``run`` it; then facts may come. ``name`` is for the log and the tasks."""

    def __init__(self, name: str, dialogue: Dialogue, engines: Engines, outlet: Outlet, manners: Manners) -> None:
        self._name = name
        self._dialogue = dialogue
        self._engines = engines
        self._outlet = outlet
        self._manners = manners
        self._doorway = Doorway(manners, outlet.send)
        self._ear = Ear()
        self._speech_from = 0  # ms, of the speech that is going on
        self._appended: deque[AudioFrame] = deque()  # and not yet heard
        self._tasks: asyncio.TaskGroup | None = None
        self._over = asyncio.Event()
        self._cutting: asyncio.TimerHandle | None = None

    async def run(self, companions: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Until ``stop``. The companions, by name, live as long as this does."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for name, companion in companions.items():
                    self._tasks.create_task(companion(), name=f"{self._name}-{name}")
                await self._live()
                raise _Over
        except* _Over:
            pass
        finally:
            self._doorway.close()
            if self._cutting is not None:
                self._cutting.cancel()
            # A session is in cycles that the collector finds late, and cannot see the 3 MB of a detector's model:
            # without this line 100 calls cost 140 MB, with it 40.
            self._ear.detect_nothing()

    def stop(self) -> None:
        """From now on nothing is performed. May be called twice."""
        self._over.set()

    async def over(self) -> None:
        """Return when it is stopped."""
        await self._over.wait()

    async def _live(self) -> None:
        lifetime = self._manners.lifetime
        try:
            async with asyncio.timeout(lifetime):
                await self._over.wait()
        except TimeoutError:
            log.info("- %s has lasted %g s", self._name, lifetime)
            self.perform(self._dialogue.expired(lifetime))
            await self._outlet.flush()
            self.stop()

    def _cut(self) -> None:
        log.info("- %s is cut on purpose", self._name)
        self._outlet.cut()
        self.stop()

    # Facts

    def open(self) -> None:
        """The client can be reached."""
        self.perform(self._dialogue.opened())
        if (cut_after := self._manners.faults.cut_after_ms) is not None:
            self._cutting = asyncio.get_running_loop().call_later(cut_after / 1000, self._cut)

    def receive(self, message: str | bytes) -> None:
        message = self._doorway.inward(message)
        self.perform(self._dialogue.receive(message, now_ms=self._ear.now_ms, heard_ms=self._outlet.heard_ms))

    def hear(self, frame: AudioFrame) -> None:
        self._tell(self._ear.hear(frame))

    def miss(self, gap_ms: float) -> None:
        self._tell(self._ear.miss(gap_ms))

    async def hear_appended(self) -> None:
        """Catch up with what the client has appended; minutes of it must not keep other sessions waiting."""
        while self._appended:
            frame = self._appended.popleft()
            step = frame.rate * HEARD_AT_ONCE // 1000
            for start in range(0, frame.samples.size, step):
                self.hear(AudioFrame(frame.samples[start : start + step], frame.rate))
                await asyncio.sleep(0)

    def _tell(self, events: list[SpeechStarted | SpeechStopped]) -> None:
        """The ear has heard, and its clock has gone on."""
        for event in events:
            match event:
                case SpeechStarted(start_ms):
                    self._speech_from = start_ms
                    self.perform(self._dialogue.speech_started(start_ms, heard_ms=self._outlet.heard_ms))
                case SpeechStopped(end_ms):
                    self.perform(self._dialogue.speech_stopped(self._speech_from, end_ms))
        self.perform(self._dialogue.time_passed(self._ear.now_ms))

    # Orders

    def perform(self, orders: list[Order]) -> None:
        for order in orders:
            if self._over.is_set():
                return  # the one before has ended the session
            match order:
                case Emit(event):
                    self._doorway.out(event)
                case Hear(frame):
                    self._appended.append(frame)
                case Transcribe(_, start_ms, end_ms):
                    # Cut now: the client may clear the input before the recognizer begins.
                    self._engage(order, partial(self._recognize, order, self._ear.cut(start_ms, end_ms)))
                case Recognize(_, frames):
                    sound = AudioFrame(np.concatenate([frame.samples for frame in frames]), frames[0].rate)
                    self._engage(order, partial(self._recognize, order, sound))
                case Think():
                    self._engage(order, partial(self._think, order))
                case Speak():
                    self._engage(order, partial(self._speak, order))
                case Hush(response_id):
                    self._outlet.hush(response_id)
                case Detect(threshold, prefix_ms, silence_ms):
                    self._ear.detect(threshold=threshold, prefix_padding_ms=prefix_ms, silence_duration_ms=silence_ms)
                case DetectNothing():
                    self._ear.detect_nothing()
                case ClearInput():
                    self._ear.clear()
                case _:
                    assert_never(order)

    def _engage(self, order: _EngineOrder, work: Callable[[], Coroutine[Any, Any, list[Order]]]) -> None:
        assert self._tasks is not None  # no fact comes before run()
        self._tasks.create_task(self._feed_back(order, work), name=f"{self._name}-work")

    async def _feed_back(self, order: _EngineOrder, work: Callable[[], Coroutine[Any, Any, list[Order]]]) -> None:
        # One item of a serving loop: an engine's mistake must not end the session.
        try:
            orders = await work()
        except (EngineFailed, TimeoutError) as exc:
            log.warning("x %s: %s", self._name, exc if isinstance(exc, EngineFailed) else "an engine took too long")
            orders = self._without(order)
        except Exception:
            log.exception("x %s: an engine failed", self._name)
            orders = self._without(order)
        self.perform(orders)

    def _without(self, order: _EngineOrder) -> list[Order]:
        """What follows when the engine did not do it."""
        if isinstance(order, Transcribe | Recognize):
            return self._dialogue.transcribed(order.item_id, None, seconds=0.0)
        return self._dialogue.failed(order.response_id)

    async def _recognize(self, order: Transcribe | Recognize, sound: AudioFrame) -> list[Order]:
        async with asyncio.timeout(HEARING_TIMEOUT):
            heard = await self._engines.recognizer.hear(sound, language=order.language)
        return self._dialogue.transcribed(order.item_id, heard.text, seconds=sound.samples.size / sound.rate)

    async def _think(self, order: Think) -> list[Order]:
        async with (
            asyncio.timeout(THINKING_TIMEOUT) as thinking,
            aclosing(self._engines.replier.answer(order.question)) as parts,
        ):
            async for part in parts:
                self.perform(self._dialogue.reply_part(order.response_id, part))
                if not self._dialogue.awaits(order.response_id):
                    return []
                thinking.reschedule(asyncio.get_running_loop().time() + THINKING_TIMEOUT)
        return self._dialogue.reply_ended(order.response_id)

    async def _speak(self, order: Speak) -> list[Order]:
        await self._outlet.room()
        sound = AudioFrame(silence(0), SAMPLE_RATE)
        if self._outlet.audible and self._dialogue.awaits(order.response_id):
            async with asyncio.timeout(SPEAKING_TIMEOUT):
                sound = await self._engines.voice.speak(
                    order.text, voice=order.voice, speed=order.speed, language=order.language
                )
        if self._manners.faults.silent:
            sound = AudioFrame(silence(sound.samples.size), sound.rate)
        return self._outlet.utter(order, sound) if self._dialogue.awaits(order.response_id) else []


def sound_ms(sound: AudioFrame) -> int:
    """How long it lasts, rounded up."""
    return -(-sound.samples.size * 1000 // sound.rate)


class _Over(Exception):
    """Ends the task group of a session."""
