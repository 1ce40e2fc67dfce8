"""One call: the aiortc peer that answers an offer, and hears, thinks and speaks for its dialogue.

    resource            acquired        released
    peer connection     answer()        close(), which run() calls at its end
    ear (a task)        run()           with the task group of run()
    work (tasks)        orders          with the task group of run()

Law: the dialogue decides, this performs. Whatever ends the call (hangup, silence on the wire, a lost peer) ends
``run``, and ``run`` releases everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, assert_never

from aiortc import MediaStreamTrack, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidAccessError

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.detector import SpeechStarted, SpeechStopped
from couchvoice.local.dialogue import Dialogue
from couchvoice.local.ear import Ear
from couchvoice.local.event_channel import EventChannel
from couchvoice.local.hearing import Recognizer
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
from couchvoice.local.strict_lite import answer_only_nominations
from couchvoice.local.voice import Voice
from couchvoice.transports.peer import (
    DATA_CHANNEL_LABEL,
    close_peer,
    new_peer_connection,
    on_message,
    own_connecting,
    prepare_to_gather,
)
from couchvoice.transports.tracks import SourceTrack, read_track

log = logging.getLogger("couchvoice.local.peer")

CONNECT_TIMEOUT = 30.0  # seconds from the answer to an open channel; then nobody is coming
CLOSE_TIMEOUT = 2.0  # seconds

_AUDIBLE = ("sendrecv", "sendonly")

_EngineOrder = Transcribe | Think | Speak


@dataclass(frozen=True, slots=True)
class Engines:
    """What all calls share: ears, wits and a voice."""

    recognizer: Recognizer
    rules: Rules
    voice: Voice


class Call:
    """``answer`` first, then ``run`` until the call is over."""

    def __init__(
        self,
        call_id: str,
        session: SessionObject,
        engines: Engines,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        strict_lite: bool = False,
    ) -> None:
        self.call_id = call_id
        self._engines = engines
        self._connect_timeout = connect_timeout
        self._strict_lite = strict_lite
        self._dialogue = Dialogue(session, call_id.removeprefix("rtc_"))
        self._mouth = Mouth(on_started=self._playback_started, on_drained=self._playback_drained)
        self._ear = Ear()
        self._speech_from = 0  # ms, of the speech that is going on
        self._peer: RTCPeerConnection = new_peer_connection()
        self._channel: EventChannel | None = None
        self._track: MediaStreamTrack | None = None
        self._is_audible = False  # whether the caller wants to hear anything
        self._tasks: asyncio.TaskGroup | None = None
        self._opened = asyncio.Event()
        self._over = asyncio.Event()

    async def answer(self, offer: str) -> str:
        """The SDP answer. Raises what aiortc raises on an offer that it does not like (SDP_ERRORS)."""
        peer = self._peer
        self._watch(peer)
        own_connecting(peer, self._lose)
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        if peer.sctp is None:
            raise InvalidAccessError("the offer has no data channel")
        if self._track is not None:
            peer.addTrack(SourceTrack(self._mouth.read))
        ours = [transceiver for transceiver in peer.getTransceivers() if transceiver.sender.track is not None]
        for transceiver in peer.getTransceivers():
            if transceiver not in ours:
                transceiver.direction = "inactive"  # else aiortc decodes it into a queue that nobody empties
        prepare_to_gather(peer)
        if self._strict_lite:
            answer_only_nominations(peer)
        await peer.setLocalDescription(await peer.createAnswer())
        self._is_audible = any(transceiver.currentDirection in _AUDIBLE for transceiver in ours)
        answer: str = peer.localDescription.sdp
        return answer

    async def run(self) -> None:
        """Serve the call until it is over; releases everything."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._listen(), name=f"{self.call_id}-ear")
                self._tasks.create_task(self._await_open(), name=f"{self.call_id}-watchdog")
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
        await close_peer(self._peer, within=CLOSE_TIMEOUT)
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
            self._channel = EventChannel(channel)
            on_message(channel, self._receive)
            channel.on("close", self.hang_up)
            self._opened.set()
            self._perform(self._dialogue.opened())

        @peer.on("connectionstatechange")
        def _state_changed() -> None:
            log.debug("= %s %s", self.call_id, peer.connectionState)
            if peer.connectionState in ("failed", "closed"):
                self.hang_up()

    def _lose(self, reason: str) -> None:
        log.info("- %s: %s", self.call_id, reason)
        self.hang_up()

    async def _await_open(self) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._opened.wait()
        except TimeoutError:
            log.warning("- %s: nobody came within %g s", self.call_id, self._connect_timeout)
            self.hang_up()

    async def _listen(self) -> None:
        if self._track is None:
            return
        # One item of a serving loop: a call that has gone deaf is over, the others are not.
        try:
            await read_track(self._track, self._hear, self._miss)
        except Exception:
            log.exception("x %s: the ear failed", self.call_id)
            self.hang_up()

    # Facts

    def _receive(self, message: str | bytes) -> None:
        self._perform(self._dialogue.receive(message, now_ms=self._ear.now_ms, heard_ms=self._mouth.said_ms))

    def _hear(self, frame: AudioFrame) -> None:
        self._tell_of_speech(self._ear.hear(frame))

    def _miss(self, gap_ms: float) -> None:
        self._tell_of_speech(self._ear.miss(gap_ms))

    def _tell_of_speech(self, events: list[SpeechStarted | SpeechStopped]) -> None:
        for event in events:
            match event:
                case SpeechStarted(start_ms):
                    self._speech_from = start_ms
                    self._perform(self._dialogue.speech_started(start_ms, heard_ms=self._mouth.said_ms))
                case SpeechStopped(end_ms):
                    self._perform(self._dialogue.speech_stopped(self._speech_from, end_ms))

    def _playback_started(self, response_id: str) -> None:
        self._perform(self._dialogue.playback_started(response_id))

    def _playback_drained(self, response_id: str) -> None:
        self._perform(self._dialogue.playback_drained(response_id))

    # Orders

    def _perform(self, orders: list[Order]) -> None:
        if self._over.is_set():
            return
        for order in orders:
            match order:
                case Emit(event):
                    if self._channel is not None:
                        self._channel.send(event)
                case Transcribe(_, start_ms, end_ms):
                    # Cut now: the client may clear the input before the recognizer begins.
                    self._engage(order, self._transcribe(order, self._ear.cut(start_ms, end_ms)))
                case Think():
                    self._engage(order, self._think(order))
                case Speak():
                    self._engage(order, self._speak(order))
                case Hush(response_id):
                    self._mouth.hush(response_id)
                case Detect(threshold, prefix_ms, silence_ms):
                    self._ear.detect(threshold=threshold, prefix_padding_ms=prefix_ms, silence_duration_ms=silence_ms)
                case DetectNothing():
                    self._ear.detect_nothing()
                case ClearInput():
                    self._ear.clear()
                case _:
                    assert_never(order)

    def _engage(self, order: _EngineOrder, work: Coroutine[Any, Any, list[Order]]) -> None:
        assert self._tasks is not None  # tracks and channels come after the answer, when run() is on its way
        self._tasks.create_task(self._feed_back(order, work), name=f"{self.call_id}-work")

    async def _feed_back(self, order: _EngineOrder, work: Coroutine[Any, Any, list[Order]]) -> None:
        # One item of a serving loop: an engine's mistake must not end the call.
        try:
            orders = await work
        except Exception:
            log.exception("x %s: an engine failed", self.call_id)
            orders = self._without(order)
        self._perform(orders)

    def _without(self, order: _EngineOrder) -> list[Order]:
        """What follows when the engine did not do it."""
        if isinstance(order, Transcribe):
            return self._dialogue.transcribed(order.item_id, None, seconds=0.0)
        return self._dialogue.failed(order.response_id)

    async def _transcribe(self, order: Transcribe, sound: AudioFrame) -> list[Order]:
        heard = await asyncio.to_thread(self._engines.recognizer.hear, sound.samples, sound.rate)
        return self._dialogue.transcribed(order.item_id, heard.text, seconds=sound.samples.size / sound.rate)

    async def _think(self, order: Think) -> list[Order]:
        rules = self._engines.rules
        reply = rules.after_tools(order.results) if order.results else rules.answer(order.heard, tools=order.tools)
        return self._dialogue.replied(order.response_id, reply)

    async def _speak(self, order: Speak) -> list[Order]:
        """Without a listener the words alone are said."""
        await self._mouth.room()
        sound = AudioFrame(silence(0), SAMPLE_RATE)
        if self._is_audible and self._dialogue.awaits(order.response_id):
            sound = await self._engines.voice.speak(order.text, voice=order.voice, speed=order.speed)
        if not self._dialogue.awaits(order.response_id):
            return []
        self._mouth.say(order.response_id, sound)
        milliseconds = -(-sound.samples.size * 1000 // sound.rate)
        return self._dialogue.sentence_queued(order.response_id, order.text, ms=milliseconds)


class _Over(Exception):
    """Ends the task group of a call."""
