"""The client: the asyncio shell round the core. It performs effects, and releases what it acquired.

    resource           acquired                    released
    recording task     run()                       _release(), after the last turn is answered or given up
    session, secret    _connect(), first           /end in _settle_debts(), once, if the talk was ever open
    source             _connect(), second          _fall_silent()
    transport          _connect(), third           _hang_up()
    sink               _connect(), last            _fall_silent()
    reader, tools,     _talk(), in its TaskGroup   with the talk
    own voice
    timer              _wind()                     _release()
    barge-in timer     an interruption             _release()

Law: silence first, then the turns that are owed, then ``/end``; every wait on that way is bounded by one deadline.
Nothing here decides: facts go to ``core.session``, and what comes back is performed in order, without a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from couchvoice.audio.echo import EchoControl, Unprotected
from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.meter import LevelMeter
from couchvoice.audio.report import DeviceReport, Reporting
from couchvoice.audio.sink import Sink
from couchvoice.audio.source import Source
from couchvoice.client.backend import Backend
from couchvoice.client.letting_go import let_go
from couchvoice.client.microphone_feed import MicrophoneFeed
from couchvoice.client.own_voice import Speak
from couchvoice.client.playback import Playback
from couchvoice.client.recorder import Recorder
from couchvoice.client.tool_call import await_result, run_tool
from couchvoice.client.updates import Updates
from couchvoice.contract import EndReply, Feedback, SessionReply
from couchvoice.core.client_events import ClientEvent, encode_client_event
from couchvoice.core.effects import (
    CallTool,
    Effect,
    EndSession,
    FlushPlayback,
    RecordTurn,
    SendEvent,
    SpeakText,
    UpdateAnswered,
)
from couchvoice.core.notices import DeviceChanged, Interrupted, Notice, Problem, StateChanged
from couchvoice.core.server_events import ErrorDetail, ErrorReported, ServerEvent, parse_server_event
from couchvoice.core.session import Session
from couchvoice.core.state import TALK, SessionState
from couchvoice.core.tool_view import shown_name
from couchvoice.errors import (
    BackendError,
    ConnectionLost,
    CouchvoiceError,
    MessageTooLarge,
    RealtimeError,
)
from couchvoice.transports.transport import Transport

log = logging.getLogger("couchvoice.client")

QUICK_FINISH = 2.5  # seconds from disconnect() to the end of all debts
PATIENT_FINISH = 20.0  # seconds, when nobody waits at the keyboard
MAX_TEXT = 16_000  # characters of a typed line

_READY = TALK - {SessionState.WARMING}


class Client:
    """One talk, from ``run`` to its end. ``open_transport`` gets the backend's reply and this client."""

    def __init__(
        self,
        *,
        key: str,
        backend: Backend,
        source: Source,
        sink: Sink,
        open_transport: Callable[[SessionReply, Client], Transport],
        observe: Callable[[Notice], None],
        overhear: Callable[[AudioFrame], None] | None = None,
        finalize: bool = True,
        speak_text: Speak | None = None,
        echo: EchoControl | None = None,
    ) -> None:
        echo = echo or Unprotected()
        self.session = Session(key, speaks_text=speak_text is not None)
        self.input_meter = LevelMeter()
        self.playback = Playback(
            echo=echo,
            audible=self._playback_changed,
            observe=self._observe,
            tell=self._receive,
            overhear=overhear,
            speak_text=speak_text,
        )
        self.reply: SessionReply | None = None
        self.end_reply: EndReply | None = None
        self.end_failed = False
        self.feedback: Feedback | None = None  # how the person found the talk: goes with ``/end``
        self.failure: CouchvoiceError | None = None
        self.connect_ms: float | None = None
        self.was_open = False  # from here on the backend is owed its ``/end``
        self.ready = asyncio.Event()
        self.quiet = asyncio.Event()  # nobody speaks, nothing is owed to anybody
        self.updates = Updates(self.session, backend, self._perform)
        self._backend = backend
        self._microphone = MicrophoneFeed(source, echo=echo, is_meant=lambda: self.session.hears_user, fail=self._fail)
        self._sink = sink
        for device in (source, sink):
            if isinstance(device, Reporting):
                device.report_to(self._device_changed)
        self._open_transport = open_transport
        self._observer = observe
        self._finalize = finalize
        self._recorder = Recorder(backend, self._observe)
        self._loop = asyncio.get_running_loop()
        self._transport: Transport | None = None
        self._tasks: asyncio.TaskGroup | None = None  # the reader and the tools
        self._timer: asyncio.TimerHandle | None = None
        self._stop = asyncio.Event()
        self._handed_out = asyncio.Event()  # the session owes no turn to the recorder any more
        self._deadline: float | None = None
        self._settling: asyncio.Timeout | None = None

    # The life

    async def run(self) -> None:
        """Connect, talk until ``stop`` or the end of the connection, settle. Raises CouchvoiceError.

        Cancelled, it lets go of everything at once and leaves its debts unpaid.
        """
        recording = asyncio.create_task(self._recorder.run(), name="record-turns")
        try:
            await self._connect()
            await self._talk()
            await self._hang_up()
            await self._settle_debts()
        finally:
            await self._release(recording)
        if self.failure is not None:
            raise self.failure

    def stop(self, *, within: float = QUICK_FINISH) -> None:
        """End the talk and settle everything within so many seconds."""
        self._deadline = min(self._deadline or float("inf"), self._loop.time() + within)
        if self._settling is not None and not self._settling.expired():
            # Ctrl-C while a talk that ended by itself waits for its backend.
            self._settling.reschedule(self._deadline)
        self._stop.set()

    async def read_frame(self) -> AudioFrame:
        """The microphone, for the transport."""
        frame = await self._microphone.read()
        self.input_meter.add(frame.samples)
        return frame

    def send_text(self, text: str) -> None:
        """Raises NotConnected, and MessageTooLarge for more than MAX_TEXT characters. Blank text says nothing."""
        if len(text) > MAX_TEXT:
            raise MessageTooLarge(len(text), limit=MAX_TEXT)
        if not text.strip():
            return
        self._perform(self.session.send_text(text, self._now()))

    def interrupt(self) -> None:
        """Raises NotConnected."""
        self._perform(self.session.interrupt(self._now()))

    def respond(self) -> None:
        """Raises NotConnected."""
        self._perform(self.session.respond(self._now()))

    def mute(self) -> None:
        """At any time, as ``unmute``."""
        self._perform(self.session.mute())

    def unmute(self) -> None:
        self._perform(self.session.unmute())

    def begin_speaking(self) -> None:
        """Raises NotConnected, and InvalidState while the server detects turns or the microphone is muted."""
        self._perform(self.session.begin_speaking(self._now()))

    def end_speaking(self) -> None:
        """Raises NotConnected."""
        self._perform(self.session.end_speaking(self._now()))

    # Its parts, in order

    async def _connect(self) -> None:
        started = self._now()
        self._perform(self.session.start())
        self.reply = await self._backend.open_session()
        self._perform(self.session.configured(self.reply.session_config, self._now()))
        await self._microphone.open()
        self._transport = self._open_transport(self.reply, self)
        await self._transport.connect()
        self.connect_ms = (self._now() - started) * 1000
        await self._sink.open(self.playback.buffer)
        self.was_open = True
        self.session.measured("connect_ms", round(self.connect_ms, 1))
        self._perform(self.session.opened(self._now()))
        log.info("- ready after %.0f ms", self.connect_ms)

    async def _talk(self) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._read(), name="read-events")
                await self._stop.wait()
                await self._fall_silent()
                self._perform(self.session.close(self._now()))
                # Words that turns still wait for: the session's own timer ends this within a second.
                await self._handed_out.wait()
                raise _TalkOver
        except* _TalkOver:
            pass

    async def _read(self) -> None:
        assert self._transport is not None  # _talk comes after _connect
        try:
            async for payload in self._transport.events():
                self._serve(payload)
        except ConnectionLost as exc:
            self._perform(self.session.lost(self._now()))
            if not self._stop.is_set():  # else it is what was wanted
                self._fail(exc)

    def _serve(self, payload: str | bytes) -> None:
        try:
            # Some servers send their events as binary messages.
            event = parse_server_event(payload if isinstance(payload, str) else payload.decode("utf-8", "replace"))
            log.debug("< %s", type(event).__name__)
            self._receive(event)
        except Exception:
            # One item of a serving loop: whatever a provider sends, the user goes on talking.
            log.exception("x an event of the provider's could not be served")
            self.session.malformed_messages += 1

    async def _settle_debts(self) -> None:
        """The turns that are owed, then ``/end``."""
        deadline = self._deadline or self._loop.time() + PATIENT_FINISH
        try:
            async with asyncio.timeout_at(deadline) as self._settling:
                await self._recorder.drain()
                if self._finalize:
                    self.end_reply = await self._backend.end_session(self.feedback)
        except TimeoutError:
            self.end_failed = True
            self._observe(Problem("finalize_timeout", "the backend did not answer in time at the end of the talk"))
        except BackendError as exc:
            self.end_failed = True
            self._observe(Problem(exc.code, str(exc)))
        finally:
            self._settling = None

    # Effects

    def _receive(self, event: ServerEvent) -> None:
        self._perform(self.session.receive(event, self._now()))

    def _perform(self, effects: list[Effect]) -> None:
        try:
            for effect in effects:
                self._do(effect)
        finally:
            # Whatever failed: the clock that ends all waiting goes on.
            self._wind()
            self._take_stock()

    def _take_stock(self) -> None:
        if self.session.settled:
            self.quiet.set()
        else:
            self.quiet.clear()
        if self.session.state is SessionState.FINALIZING and self._timer is None:
            self._handed_out.set()

    def _do(self, effect: Effect) -> None:
        match effect:
            case SendEvent(event):
                self._send(event)
            case CallTool():
                assert self._tasks is not None  # calls come from events, events from the reader in the group
                self._tasks.create_task(self._call_tool(effect), name=f"tool-{shown_name(effect.name)}")
            case RecordTurn(turn):
                self._recorder.put(turn)
            case FlushPlayback():
                self.playback.flush()
            case SpeakText():
                assert self._tasks is not None  # as above
                self.playback.speak(effect, self._tasks)
            case UpdateAnswered(problem):
                self.updates.answered(problem)
            case Interrupted():
                self.playback.interrupted(effect)
            case EndSession(code, message):
                self._fail(RealtimeError(code, message))
            case _:
                self._observe(effect)

    def _send(self, event: ClientEvent) -> None:
        assert self._transport is not None  # the session sends nothing before it was told that the channel is open
        text = encode_client_event(event)
        log.debug("> %d chars", len(text))
        try:
            self._transport.send(text)
        except ConnectionLost as exc:
            # The reader gets the same news, and ends the talk.
            log.debug("x not sent: %s", exc.reason)
        except MessageTooLarge as exc:
            # To the session it is as if the provider had refused it: whoever waits for its answer learns it now.
            self._receive(ErrorReported(error=ErrorDetail(code=exc.code, message=str(exc), event_id=event.event_id)))

    async def _call_tool(self, call: CallTool) -> None:
        ran = await run_tool(self._backend, call)
        self._perform(
            self.session.tool_finished(
                call.call_id,
                ran.output,
                self._now(),
                error=ran.error,
                private=ran.private,
                runs_on=ran.task_id is not None,
            )
        )
        if ran.task_id is None:
            return
        late = await await_result(self._backend, call.name, ran.task_id)
        if late is None:
            self._perform(self.session.result_cancelled(call.call_id, self._now()))
        else:
            arrived = self.session.result_arrived(
                call.call_id, late.output, self._now(), error=late.error, private=late.private
            )
            self._perform(arrived)

    def _observe(self, notice: Notice) -> None:
        if isinstance(notice, StateChanged):
            log.info("= %s", notice.state.value)
            if notice.state in _READY:
                self.ready.set()
        elif isinstance(notice, Interrupted) and notice.stop_ms is not None:
            self.session.measured("stop_ms", notice.stop_ms)
        self._observer(notice)

    def _device_changed(self, report: DeviceReport) -> None:
        self._observe(DeviceChanged(report.kind, report.status, report.name, report.detail))

    def _fail(self, failure: CouchvoiceError) -> None:
        self.failure = self.failure or failure
        self.stop(within=PATIENT_FINISH)

    # Time

    def _now(self) -> float:
        return self._loop.time()

    def _wind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.session.next_timeout()
        self._timer = None if due is None else self._loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._perform(self.session.handle_timeout(self._now()))

    def _playback_changed(self, audible: bool) -> None:
        self._perform(self.session.playback_changed(self._now(), audible=audible))

    # Release: every step is bounded and may be called again

    async def _fall_silent(self) -> None:
        self.playback.silence()
        await asyncio.gather(
            let_go(self._microphone.close(), "the microphone"), let_go(self._sink.close(), "the loudspeaker")
        )

    async def _hang_up(self) -> None:
        if self._transport is not None:
            await let_go(self._transport.close(), "the transport")

    async def _release(self, recording: asyncio.Task[None]) -> None:
        await self._fall_silent()
        await self._hang_up()
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        self.playback.close()
        self._perform(self.session.ended())
        self.quiet.set()  # whatever is still owed stays so


class _TalkOver(Exception):
    """Ends the task group of a talk."""
