"""VoiceSession: a realtime voice talk as an async context manager. This is the class to embed.

    async with VoiceSession(Endpoints(backend_url="https://…"), source=Microphone(), sink=Speaker()) as session:
        async for notice in session:
            print(notice)

Law: nothing is decided here. It names what ``Client`` and the session know, in the words that applications use.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any

from aiortc import RTCIceServer

from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.playout import PlayoutCounters
from couchvoice.audio.sink import Sink
from couchvoice.audio.source import Source
from couchvoice.client.backend import HttpBackend
from couchvoice.client.client import QUICK_FINISH, Client
from couchvoice.client.endpoints import Endpoints
from couchvoice.contract import EndReply, SessionReply, SessionRequest
from couchvoice.core.notices import AssistantTranscript, Notice, Problem, StateChanged, UserTranscript
from couchvoice.core.state import SessionState
from couchvoice.errors import CouchvoiceError, InvalidState, NotConnected
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient
from couchvoice.transports.transport import Transport
from couchvoice.transports.webrtc import WebRTCTransport

log = logging.getLogger("couchvoice.client.voice_session")

MAX_UNREAD_NOTICES = 10_000  # then the oldest is dropped: nobody reads them

_CONNECTING = frozenset({SessionState.CONNECTING, SessionState.WARMING})
_CONNECTED = frozenset(
    {SessionState.LISTENING, SessionState.USER_SPEAKING, SessionState.THINKING, SessionState.ASSISTANT_SPEAKING}
)


class VoiceSession:
    """One talk. ``connect`` and ``disconnect`` are called for you by ``async with``; it is used once.

    With ``auto_connect`` false, ``async with`` leaves ``connect`` to you.
    Callbacks are plain functions, called on the event loop: ``on_transcript(text, is_final)`` for the user's words,
    ``on_audio(frame)`` for each received AudioFrame (int16 mono, 48 kHz, 20 ms), ``on_error(CouchvoiceError)``,
    ``on_connection_change(status)``. An exception in one of them is logged and the talk goes on.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        request: SessionRequest | None = None,
        *,
        source: Source,
        sink: Sink,
        finalize: bool = True,
        auto_connect: bool = True,
        on_transcript: Callable[[str, bool], None] | None = None,
        on_audio: Callable[[AudioFrame], None] | None = None,
        on_error: Callable[[CouchvoiceError], None] | None = None,
        on_connection_change: Callable[[str], None] | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._request = request or SessionRequest(thread_id=f"thread_{secrets.token_hex(8)}")
        self._source = source
        self._sink = sink
        self._finalize = finalize
        self._auto_connect = auto_connect
        self._on_transcript = on_transcript
        self._on_audio = on_audio
        self._on_error = on_error
        self._on_connection_change = on_connection_change
        self._client: Client | None = None
        self._life: asyncio.Task[None] | None = None  # awaited in connect() when it fails early, else in disconnect()
        self._aborted = False
        self._http: list[HttpClient] = []
        self._error: CouchvoiceError | None = None
        self._notices: asyncio.Queue[Notice | None] = asyncio.Queue(MAX_UNREAD_NOTICES)
        self._said: dict[str, str] = {}  # the transcript: item or response id -> line
        self._status = "disconnected"

    # Life

    async def connect(self) -> None:
        """Return when the talk can begin. Raises CouchvoiceError, with everything released, when it cannot."""
        if self._life is not None:
            raise InvalidState("a VoiceSession is used once: make a new one")
        try:
            self._client = self._new_client()
        except CouchvoiceError as exc:
            self._fail(exc)
            self._put(None)
            raise
        self._life = asyncio.create_task(self._live(self._client), name="voice-session")
        ready = asyncio.create_task(self._client.ready.wait(), name="await-ready")
        try:
            await asyncio.wait({self._life, ready}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.abort()
            await self.wait_ended()
            raise
        finally:
            ready.cancel()
        if not self._life.done():
            return
        await self.wait_ended()
        raise self._error or NotConnected(self._status)

    async def disconnect(self, *, within: float = QUICK_FINISH) -> None:
        """Silence, the owed turns, ``/end``: all within so many seconds. Any number of calls have the effect of one."""
        self.hang_up(within=within)
        try:
            await self.wait_ended()
        except asyncio.CancelledError:
            # Nobody waits for the debts any more: nothing goes on without an owner.
            self.abort()
            await self.wait_ended()
            raise

    def hang_up(self, *, within: float = QUICK_FINISH) -> None:
        """Begin to disconnect and return at once. A talk that is not open yet is aborted: it owes nothing."""
        if self._client is not None and self._client.was_open:
            self._client.stop(within=within)
        else:
            self.abort()

    def abort(self) -> None:
        """Let go of everything at once; what is owed stays owed."""
        if self._life is not None and not self._aborted:
            # Once: a second cancellation would cut the release short.
            self._aborted = True
            self._life.cancel()

    async def wait_ended(self) -> None:
        """Return when the talk is over and everything is released, whoever ended it. Never raises for its failure."""
        if self._life is not None:
            await asyncio.wait({self._life})
            if not self._life.cancelled():
                self._life.result()  # a bug of ours, or of a source or a sink, must not go unseen

    async def __aenter__(self) -> VoiceSession:
        if self._auto_connect:
            await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    # What one can do in a talk

    def send_message(self, text: str) -> None:
        """Say something in writing: it is answered like spoken words.

        Raises NotConnected outside a talk, MessageTooLarge for more than 16,000 characters.
        """
        if self._client is None:
            raise NotConnected(self._status)
        # Half a surrogate pair, as a terminal makes it of a byte that is no UTF-8, cannot be sent.
        self._client.send_text(text.encode("utf-8", "replace").decode())

    def interrupt(self) -> None:
        """Stop the answer that is being given. Raises NotConnected outside a talk."""
        if self._client is None:
            raise NotConnected(self._status)
        self._client.interrupt()

    async def finished_speaking(self) -> None:
        """Return when the source has handed out its last sample; a microphone never has."""
        await self._source.finished()

    async def quiet(self) -> None:
        """Return when nobody speaks and nothing is owed: no answer, no tool, no turn. Raises NotConnected."""
        if self._client is None:
            raise NotConnected(self._status)
        await self._client.quiet.wait()

    async def __aiter__(self) -> AsyncIterator[Notice]:
        """Everything that happens, in order, until the talk is over."""
        while (notice := await self._notices.get()) is not None:
            yield notice
        self._put(None)  # whoever asks later learns it too

    # What one can ask

    @property
    def state(self) -> SessionState:
        return self._client.session.state if self._client else SessionState.IDLE

    @property
    def status(self) -> str:
        """disconnected, connecting, connected; after a talk that broke: error or expired."""
        return self._status

    @property
    def error(self) -> CouchvoiceError | None:
        """Why the talk could not begin, or ended."""
        return self._error

    @property
    def transcript(self) -> tuple[str, ...]:
        """What was said so far, by both sides, in the order in which the first words of each came."""
        return tuple(self._said.values())

    @property
    def is_speaking(self) -> bool:
        """The assistant can be heard."""
        return self.state is SessionState.ASSISTANT_SPEAKING

    @property
    def is_connected(self) -> bool:
        return self._status == "connected"

    @property
    def is_connecting(self) -> bool:
        return self._status == "connecting"

    @property
    def can_send(self) -> bool:
        return self.state in _CONNECTED or self.state is SessionState.WARMING

    @property
    def session_config(self) -> Mapping[str, Any]:
        """What the backend bound to the secret."""
        return self.reply.session_config if self.reply else {}

    @property
    def reply(self) -> SessionReply | None:
        """The backend's answer to the session request; the secret in it is spent."""
        return self._client.reply if self._client else None

    @property
    def end_reply(self) -> EndReply | None:
        """The backend's answer to ``/end``."""
        return self._client.end_reply if self._client else None

    @property
    def end_failed(self) -> bool:
        """``/end`` was owed and not accepted."""
        return self._client is not None and self._client.end_failed

    @property
    def connect_ms(self) -> float | None:
        return self._client.connect_ms if self._client else None

    @property
    def playout(self) -> PlayoutCounters | None:
        return self._client.playout.counters if self._client else None

    # Behind the scenes

    def _new_client(self) -> Client:
        ends = self._endpoints
        http = self._open_http(ends.backend_url, ends.backend_app)
        return Client(
            key=secrets.token_hex(4),
            backend=HttpBackend(ends.backend_url, self._request, http=http, token=ends.token),
            source=self._source,
            sink=self._sink,
            open_transport=self._open_transport,
            observe=self._observe,
            finalize=self._finalize,
        )

    def _open_transport(self, reply: SessionReply, client: Client) -> Transport:
        calls_url = self._endpoints.calls_url(reply)

        def hear(frame: AudioFrame) -> None:
            client.playout.push(frame)
            if self._on_audio is not None:
                self._call(self._on_audio, frame)

        return WebRTCTransport(
            calls_url,
            Private(reply.client_secret),
            http=self._open_http(calls_url, self._endpoints.realtime_app),
            read=client.read_frame,
            on_frame=hear,
            on_gap=client.playout.conceal,
            ice_servers=[RTCIceServer(**server.model_dump()) for server in reply.ice_servers],
        )

    def _open_http(self, url: str, app: Any) -> HttpClient:
        http = HttpClient(url, app=app)
        self._http.append(http)
        return http

    async def _live(self, client: Client) -> None:
        try:
            await client.run()
        except CouchvoiceError as exc:
            self._fail(exc)
        finally:
            for http in self._http:
                await http.close()
            self._put(None)

    def _fail(self, failure: CouchvoiceError) -> None:
        self._error = failure
        # A talk that did not come about leaves things as they were: disconnected.
        if self._client is not None and self._client.was_open:
            self._change_status("expired" if failure.code == "session_expired" else "error")
        else:
            self._change_status("disconnected")
        if self._on_error is not None:
            self._call(self._on_error, failure)

    def _observe(self, notice: Notice) -> None:
        match notice:
            case StateChanged(state):
                if state in _CONNECTING:
                    self._change_status("connecting")
                elif state in _CONNECTED:
                    self._change_status("connected")
                else:
                    self._change_status("disconnected")
            case UserTranscript(item_id, text, final):
                self._said[item_id] = text
                if self._on_transcript is not None:
                    self._call(self._on_transcript, text, final)
            case AssistantTranscript(response_id, text):
                self._said[response_id] = text
            case Problem(code, message):
                log.warning("x %s: %s", code, message)
        self._put(notice)

    def _put(self, notice: Notice | None) -> None:
        if self._notices.full():
            self._notices.get_nowait()
        self._notices.put_nowait(notice)

    def _change_status(self, status: str) -> None:
        if status != self._status:
            self._status = status
            if self._on_connection_change is not None:
                self._call(self._on_connection_change, status)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        # One item of a serving loop: an application's mistake must not end the talk.
        try:
            callback(*arguments)
        except Exception:
            log.exception("x a callback of the application failed")
