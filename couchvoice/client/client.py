"""The client: the asyncio shell round the core. It performs effects, and releases what it acquired.

    resource           acquired                    released
    recording task     run()                       _release(), after the last turn is answered or given up
    session, secret    _connect(), first           /end in _settle_debts(), once, if the talk was ever open
    source             _connect(), second          _fall_silent()
    transport          _connect(), third           _hang_up()
    sink               _connect(), last            _fall_silent()
    reader and tools   _talk(), in its TaskGroup   with the talk
    timer              _wind()                     _release()

Law: silence first, then the turns that are owed, then ``/end``; every wait on that way is bounded by one deadline.
Nothing here decides: facts go to ``core.session``, and what comes back is performed in order, without a pause.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.sink import Sink
from couchvoice.audio.source import Source
from couchvoice.client.backend import TOOL_TIMEOUT, Backend
from couchvoice.client.recorder import Recorder
from couchvoice.contract import EndReply, SessionReply
from couchvoice.core.client_events import encode_client_event
from couchvoice.core.effects import CallTool, Effect, EndSession, FlushPlayback, RecordTurn, SendEvent
from couchvoice.core.notices import Notice, Problem, StateChanged
from couchvoice.core.server_events import Malformed, parse_server_event
from couchvoice.core.session import Session
from couchvoice.core.state import TALK, SessionState
from couchvoice.errors import (
    AudioDeviceError,
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
RELEASE_TIMEOUT = 1.0  # seconds for a device or a transport to let go
MAX_TOOL_OUTPUT = 48 * 1024  # bytes, as JSON in a JSON string; RFC 8841 §6: a far end may take only 64 KiB
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
        finalize: bool = True,
    ) -> None:
        self.session = Session(key)
        self.playout = PlayoutBuffer(on_activity=self._playback_changed_in_thread)
        self.reply: SessionReply | None = None
        self.end_reply: EndReply | None = None
        self.end_failed = False
        self.failure: CouchvoiceError | None = None
        self.connect_ms: float | None = None
        self.was_open = False  # from here on the backend is owed its ``/end``
        self.ready = asyncio.Event()
        self.quiet = asyncio.Event()  # nobody speaks, nothing is owed to anybody
        self._backend = backend
        self._source = source
        self._sink = sink
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
        self._silent = False

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
        if self._silent:
            await asyncio.Event().wait()  # until the transport lets go of its track
        try:
            return await self._source.read()
        except Exception as exc:
            # One item of a serving loop: aiortc would end its track without a word.
            log.exception("x the microphone failed")
            self._fail(exc if isinstance(exc, CouchvoiceError) else AudioDeviceError(f"the microphone failed: {exc}"))
            self._silent = True
            return await self.read_frame()

    def send_text(self, text: str) -> None:
        """Raises NotConnected, and MessageTooLarge for more than MAX_TEXT characters. Blank text says nothing."""
        if len(text) > MAX_TEXT:
            raise MessageTooLarge(len(text))
        if not text.strip():
            return
        self._perform(self.session.send_text(text, self._now()))

    def interrupt(self) -> None:
        """Raises NotConnected."""
        self._perform(self.session.interrupt(self._now()))

    # Its parts, in order

    async def _connect(self) -> None:
        started = self._now()
        self._perform(self.session.start())
        self.reply = await self._backend.open_session()
        await self._source.open()
        self._transport = self._open_transport(self.reply, self)
        await self._transport.connect()
        self.connect_ms = (self._now() - started) * 1000
        await self._sink.open(self.playout)
        self.was_open = True
        self._perform(self.session.opened(self._now(), self.reply.session_config))
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
                event = parse_server_event(payload) if isinstance(payload, str) else Malformed(reason="binary")
                log.debug("< %s", type(event).__name__)
                self._perform(self.session.receive(event, self._now()))
        except ConnectionLost as exc:
            self._perform(self.session.lost(self._now()))
            if not self._stop.is_set():  # else it is what was wanted
                self._fail(exc)

    async def _settle_debts(self) -> None:
        """The turns that are owed, then ``/end``."""
        deadline = self._deadline or self._loop.time() + PATIENT_FINISH
        try:
            async with asyncio.timeout_at(deadline) as self._settling:
                await self._recorder.drain()
                if self._finalize:
                    self.end_reply = await self._backend.end_session()
        except TimeoutError:
            self.end_failed = True
            self._observe(Problem("finalize_timeout", "the backend did not answer in time at the end of the talk"))
        except BackendError as exc:
            self.end_failed = True
            self._observe(Problem(exc.code, str(exc)))
        finally:
            self._settling = None

    # Effects

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendEvent():
                    self._send(encode_client_event(effect.event))
                case CallTool():
                    assert self._tasks is not None  # calls come from events, events from the reader in the group
                    self._tasks.create_task(self._call_tool(effect), name=f"tool-{effect.name}")
                case RecordTurn():
                    self._recorder.put(effect.turn)
                case FlushPlayback():
                    self.playout.flush()
                case EndSession():
                    self._fail(RealtimeError(effect.code, effect.message))
                case _:
                    self._observe(effect)
        self._wind()
        if self.session.settled:
            self.quiet.set()
        else:
            self.quiet.clear()
        if self.session.state is SessionState.FINALIZING and self._timer is None:
            self._handed_out.set()

    def _send(self, event: str) -> None:
        assert self._transport is not None  # the session sends nothing before it was told that the channel is open
        log.debug("> %d chars", len(event))
        try:
            self._transport.send(event)
        except ConnectionLost as exc:
            # The reader gets the same news, and ends the talk.
            log.debug("x not sent: %s", exc.reason)
        except MessageTooLarge as exc:
            self._observe(Problem(exc.code, str(exc)))

    async def _call_tool(self, call: CallTool) -> None:
        error: str | None = None
        try:
            async with asyncio.timeout(TOOL_TIMEOUT):
                output = await self._backend.call_tool(call)
            if _size_in_event(output) > MAX_TOOL_OUTPUT:
                error = "tool_output_too_large"
        except BackendError as exc:
            error = exc.code
        except TimeoutError:
            error = "tool_timeout"
        except Exception:
            # The model must get an answer, whatever went wrong here.
            log.exception("x tool %s", call.name)
            error = "tool_failed"
        result = {"error": error} if error else output
        self._perform(self.session.tool_finished(call.call_id, result, self._now(), error=error))

    def _observe(self, notice: Notice) -> None:
        if isinstance(notice, StateChanged):
            log.info("= %s", notice.state.value)
            if notice.state in _READY:
                self.ready.set()
        self._observer(notice)

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

    def _playback_changed_in_thread(self, audible: bool) -> None:
        self._loop.call_soon_threadsafe(self._playback_changed, audible)

    def _playback_changed(self, audible: bool) -> None:
        self._perform(self.session.playback_changed(self._now(), audible=audible))

    # Release: every step is bounded and may be called again

    async def _fall_silent(self) -> None:
        self._silent = True
        self.playout.flush()
        await asyncio.gather(
            _bounded(self._source.close(), "the microphone"), _bounded(self._sink.close(), "the loudspeaker")
        )

    async def _hang_up(self) -> None:
        if self._transport is not None:
            await _bounded(self._transport.close(), "the transport")

    async def _release(self, recording: asyncio.Task[None]) -> None:
        await self._fall_silent()
        await self._hang_up()
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        self._perform(self.session.ended())
        self.quiet.set()  # whatever is still owed stays so


def _size_in_event(output: object) -> int:
    """Bytes of a tool's output as it stands in ``function_call_output``: JSON in a JSON string, escaped twice."""
    return len(msgspec.json.encode(msgspec.json.encode(output).decode()))


async def _bounded(closing: Coroutine[Any, Any, None], what: str) -> None:
    try:
        async with asyncio.timeout(RELEASE_TIMEOUT):
            await closing
    except TimeoutError:
        log.warning("x %s did not let go within %g s", what, RELEASE_TIMEOUT)
    except Exception:
        # One item of several: the others must be released all the same.
        log.exception("x %s did not let go", what)


class _TalkOver(Exception):
    """Ends the task group of a talk."""
