"""One call: the aiortc peer that answers an offer, and hears, thinks and speaks for its dialogue.

    resource            acquired        released
    peer connection     answer()        run(), at its end
    ear (a task)        the far track   with the task group of run()
    work (tasks)        orders          with the task group of run()

Law: the dialogue decides, this performs. Whatever ends the call (hangup, silence on the wire, a lost peer) ends
``run``, and ``run`` releases everything.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, assert_never

from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.detector import SpeechDetector, SpeechStarted
from couchvoice.local.dialogue import Dialogue
from couchvoice.local.hearing import Recognizer
from couchvoice.local.input_buffer import IDLE_LIMIT, InputAudioBuffer
from couchvoice.local.mouth import Mouth
from couchvoice.local.orders import (
    ClearInput,
    Detect,
    DetectNothing,
    Emit,
    Hush,
    Order,
    Speak,
    Think,
    Transcribe,
)
from couchvoice.local.replies import Rules
from couchvoice.local.session_object import SessionObject
from couchvoice.local.voice import Voice
from couchvoice.transports.peer import DATA_CHANNEL_LABEL, new_peer_connection, on_message, prepare_to_gather
from couchvoice.transports.tracks import SourceTrack, read_track

log = logging.getLogger("couchvoice.local.peer")

CONNECT_TIMEOUT = 30.0  # seconds from the answer to an open channel; then nobody is coming
CLOSE_TIMEOUT = 2.0  # seconds
MAX_GAP_MS = 2000  # ms of silence for one gap in the far end's timeline


@dataclass(frozen=True, slots=True)
class Engines:
    """What all calls share: ears, wits and a voice."""

    recognizer: Recognizer
    rules: Rules
    voice: Voice


class Call:
    """``answer`` first, then ``run`` until the call is over."""

    def __init__(self, call_id: str, session: SessionObject, engines: Engines) -> None:
        self.call_id = call_id
        self._engines = engines
        self._dialogue = Dialogue(session, call_id.removeprefix("rtc_"))
        self._mouth = Mouth(on_started=self._playback_started, on_drained=self._playback_drained)
        self._input = InputAudioBuffer()
        self._detector: SpeechDetector | None = None
        self._speech_from = 0  # ms, of the speech that is going on
        self._peer: RTCPeerConnection = new_peer_connection()
        self._channel: RTCDataChannel | None = None
        self._track: MediaStreamTrack | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._opened = asyncio.Event()
        self._over = asyncio.Event()

    async def answer(self, offer: str) -> str:
        """The SDP answer. Raises what aiortc raises on an offer that it does not like."""
        self._watch(self._peer)
        await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        self._peer.addTrack(SourceTrack(self._mouth.read))
        prepare_to_gather(self._peer)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        answer: str = self._peer.localDescription.sdp
        return answer

    async def run(self) -> None:
        """Serve the call until it is over; releases everything."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                if self._track is not None:
                    self._spawn(read_track(self._track, self._hear, self._miss), "ear")
                self._spawn(self._await_open(), "watchdog")
                await self._over.wait()
                raise _Over
        except* _Over:
            pass
        finally:
            await self.close()

    def hang_up(self) -> None:
        self._over.set()

    async def close(self) -> None:
        """Release the peer connection. May be called twice."""
        self._over.set()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._peer.close()
        except TimeoutError:
            log.warning("- %s did not close within %g s", self.call_id, CLOSE_TIMEOUT)
        log.info("- %s is over", self.call_id)

    def _watch(self, peer: RTCPeerConnection) -> None:
        @peer.on("track")
        def _track_arrived(track: MediaStreamTrack) -> None:
            if track.kind == "audio":
                self._track = self._track or track

        @peer.on("datachannel")
        def _channel_arrived(channel: RTCDataChannel) -> None:
            if channel.label != DATA_CHANNEL_LABEL or self._channel is not None:
                log.warning("x a data channel called %r is ignored", channel.label)
                return
            self._channel = channel
            on_message(channel, self._receive)
            channel.on("close", self.hang_up)
            self._opened.set()
            self._perform(self._dialogue.opened())

        @peer.on("connectionstatechange")
        def _state_changed() -> None:
            log.debug("= %s %s", self.call_id, peer.connectionState)
            if peer.connectionState in ("failed", "closed"):
                self.hang_up()

    async def _await_open(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._opened.wait()
        except TimeoutError:
            log.warning("- %s: nobody came within %g s", self.call_id, CONNECT_TIMEOUT)
            self.hang_up()

    # Facts

    def _receive(self, message: str | bytes) -> None:
        self._perform(self._dialogue.receive(message, now_ms=self._input.end_ms, heard_ms=self._mouth.said_ms))

    def _hear(self, frame: AudioFrame) -> None:
        self._input.append(frame)
        if self._detector is None:
            return
        for event in self._detector.feed(frame):
            if isinstance(event, SpeechStarted):
                self._speech_from = event.audio_start_ms
                self._perform(self._dialogue.speech_started(event.audio_start_ms, heard_ms=self._mouth.said_ms))
            else:
                self._perform(self._dialogue.speech_stopped(self._speech_from, event.audio_end_ms))
        if not self._detector.speaking:
            self._input.discard_before(self._input.end_ms - IDLE_LIMIT)

    def _miss(self, gap_ms: float) -> None:
        """The far end's timeline goes on although nothing arrived: silence stands for it."""
        for _ in range(int(min(gap_ms, MAX_GAP_MS) * SAMPLE_RATE / 1000 / FRAME_SAMPLES)):
            self._hear(AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE))

    def _playback_started(self, response_id: str) -> None:
        self._perform(self._dialogue.playback_started(response_id))

    def _playback_drained(self) -> None:
        self._perform(self._dialogue.playback_drained())

    # Orders

    def _perform(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Emit(event):
                    self._emit(event)
                case Transcribe():
                    self._spawn(self._transcribe(order), "transcribe")
                case Think():
                    self._think(order)
                case Speak():
                    self._spawn(self._speak(order), "speak")
                case Hush():
                    self._mouth.hush()
                case Detect():
                    self._detect(order)
                case DetectNothing():
                    self._detector = None
                case ClearInput():
                    self._input.clear()
                case _:
                    assert_never(order)

    def _emit(self, event: dict[str, Any]) -> None:
        if self._channel is None:
            return
        try:
            self._channel.send(json.dumps(event))
        except InvalidStateError:
            log.debug("x %s: the channel is closed, %s is not sent", self.call_id, event["type"])
        except ValueError as exc:
            log.warning("x %s: %s is not sent: %s", self.call_id, event["type"], exc)

    async def _transcribe(self, order: Transcribe) -> None:
        sound = self._input.cut(order.start_ms, order.end_ms)
        heard = await asyncio.to_thread(self._engines.recognizer.hear, sound.samples, sound.rate)
        seconds = sound.samples.size / sound.rate
        self._perform(self._dialogue.transcribed(order.item_id, heard.text, seconds=seconds))

    def _think(self, order: Think) -> None:
        rules = self._engines.rules
        reply = rules.after_tools(order.results) if order.results else rules.answer(order.heard, tools=order.tools)
        self._perform(self._dialogue.replied(order.response_id, reply))

    async def _speak(self, order: Speak) -> None:
        await self._mouth.room()
        sound = await self._engines.voice.speak(order.text, voice=order.voice, speed=order.speed)
        if self._dialogue.awaits(order.response_id):
            self._mouth.say(order.response_id, sound)
            self._perform(self._dialogue.sentence_queued(order.response_id, order.text))

    def _detect(self, order: Detect) -> None:
        detector = self._detector = self._detector or SpeechDetector()
        detector.reconfigure(
            threshold=order.threshold,
            prefix_padding_ms=order.prefix_padding_ms,
            silence_duration_ms=order.silence_duration_ms,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        assert self._tasks is not None  # tracks and channels come after the answer, when run() is on its way
        self._tasks.create_task(self._guard(work, name), name=f"{self.call_id}-{name}")

    async def _guard(self, work: Coroutine[Any, Any, None], name: str) -> None:
        # One item of a serving loop: an engine's mistake must not end the call.
        try:
            await work
        except Exception:
            log.exception("x %s: %s failed", self.call_id, name)


class _Over(Exception):
    """Ends the task group of a call."""
