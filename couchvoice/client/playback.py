"""What is heard of the assistant: the provider's sound, or our own voice in its place, and how soon it falls silent.

Not the card, which pulls from ``buffer``, and no decision: those come from the core. Law: what the card's thread tells
is taken over on the event loop, but for the echo's reference and the meter, which only keep what they get.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.echo import EchoControl
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.meter import LevelMeter
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.client.barge_in import BargeInClock
from couchvoice.client.own_voice import OwnVoice, Speak
from couchvoice.core.effects import SpeakText
from couchvoice.core.notices import Interrupted, Notice
from couchvoice.core.server_events import ServerEvent


class Playback:
    """``tell`` gets what the provider's events would tell of our own voice; ``audible`` whether anything is heard.

    ``overhear`` gets every 20 ms of the provider's sound, as they are played.
    """

    def __init__(
        self,
        *,
        echo: EchoControl,
        audible: Callable[[bool], None],
        observe: Callable[[Notice], None],
        tell: Callable[[ServerEvent], None],
        overhear: Callable[[AudioFrame], None] | None,
        speak_text: Speak | None,
    ) -> None:
        self._echo = echo
        self._audible = audible
        self._overhear = overhear
        self._heard = silence(0)  # of the provider's packets, until it makes a frame
        self._barge_in = BargeInClock(observe)
        self._loop = asyncio.get_running_loop()
        self.meter = LevelMeter()
        self.buffer = PlayoutBuffer(
            on_activity=self._activity_in_thread,
            on_played=self._played_in_thread,
            # Nobody may want to know: then 50 calls a second are saved.
            on_received=self._received_in_thread if overhear is not None or speak_text is not None else None,
            on_silenced=self._silenced_in_thread,
        )
        self._own_voice = OwnVoice(speak_text, self.buffer, tell=tell, observe=observe) if speak_text else None

    # The provider's sound, from the transport

    def receive(self, packet: MediaPacket) -> None:
        """As packets."""
        self.buffer.receive(packet)

    def hear(self, frame: AudioFrame) -> None:
        """As frames: where the packets cannot be had."""
        if not self._covered(frame):
            self.buffer.push(frame)

    def conceal(self, ms: float) -> None:
        """So much is missing before the next frame."""
        if self._own_voice is None or not self._own_voice.sounding:
            self.buffer.conceal(ms)

    # What the core orders

    def speak(self, order: SpeakText, tasks: asyncio.TaskGroup) -> None:
        """A written answer gets our voice."""
        assert self._own_voice is not None  # else the session would not know of it
        self._own_voice.begin(order.response_id, order.text, tasks)

    def flush(self) -> None:
        """Nothing that is here is heard any more."""
        self.buffer.flush()
        if self._own_voice is not None:
            self._own_voice.stop()

    def interrupted(self, interruption: Interrupted) -> None:
        """Told to the observer when it is known how long the assistant was still heard. After ``flush``."""
        self._barge_in.begin(interruption, self._loop.time())

    # The end

    def silence(self) -> None:
        """For good. Idempotent."""
        if self._own_voice is not None:
            self._own_voice.close()
        self.buffer.flush()

    def close(self) -> None:
        """No card pulls any more. Idempotent."""
        self._barge_in.give_up()

    # What the card's thread tells

    def _activity_in_thread(self, audible: bool) -> None:
        self._loop.call_soon_threadsafe(self._audible, audible)

    def _played_in_thread(self, block: NDArray[np.int16]) -> None:
        self._echo.played(block)
        self.meter.add(block)

    def _silenced_in_thread(self, audible: int) -> None:
        at = self._loop.time() + audible / SAMPLE_RATE
        self._loop.call_soon_threadsafe(self._barge_in.silenced, at)

    def _received_in_thread(self, block: NDArray[np.int16]) -> None:
        self._loop.call_soon_threadsafe(self._hear_block, block)

    def _hear_block(self, block: NDArray[np.int16]) -> None:
        self._heard = np.concatenate([self._heard, block])
        while self._heard.size >= FRAME_SAMPLES:
            frame, self._heard = self._heard[:FRAME_SAMPLES], self._heard[FRAME_SAMPLES:]
            self._covered(AudioFrame(frame, SAMPLE_RATE))

    def _covered(self, frame: AudioFrame) -> bool:
        """Whether our own voice stands in place of this frame of the provider's."""
        if self._overhear is not None:
            self._overhear(frame)
        return self._own_voice is not None and self._own_voice.covers(frame)
