"""VoiceSession: a realtime voice talk as an async context manager. This is the class to embed.

    async with VoiceSession(Endpoints(backend_url="https://…"), source=Microphone(), sink=Speaker()) as session:
        async for notice in session:
            print(notice)

Law: nothing is decided here. It names what ``Client`` and the session know, in the words that applications use.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, cast, get_args

from couchvoice.audio.echo import choose_policy, echo_control
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.audio.frames import AudioFrame
from couchvoice.audio.meter import SILENCE_DB, Levels
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.playout import PlayoutCounters
from couchvoice.audio.sink import Sink
from couchvoice.audio.source import Source
from couchvoice.audio.speaker import Speaker
from couchvoice.client.audience import Audience, Callbacks
from couchvoice.client.backend import Backend
from couchvoice.client.client import QUICK_FINISH, Client
from couchvoice.client.connections import Connections
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.own_voice import Speak
from couchvoice.contract import EndReply, Feedback, SessionReply, SessionRequest
from couchvoice.core.notices import Notice
from couchvoice.core.session_update import Modality
from couchvoice.core.state import TALK, SessionState
from couchvoice.core.usage import Usage
from couchvoice.errors import ConfigError, CouchvoiceError, InvalidState, NotConnected
from couchvoice.transports.tap import Tap


class VoiceSession:
    """One talk. ``connect`` and ``disconnect`` are called for you by ``async with``; it is used once.

    With ``auto_connect`` false, ``async with`` leaves ``connect`` to you.
    Callbacks are plain functions, called on the event loop: ``on_transcript(text, is_final)`` for the user's words,
    ``on_audio(frame)`` for each received AudioFrame (int16 mono, 48 kHz, 20 ms), ``on_error(CouchvoiceError)``,
    ``on_connection_change(status)``. An exception in one of them is logged and the talk goes on.
    ``speak_text`` speaks the answers that come in writing; without it they are only shown.
    ``echo`` keeps the assistant from hearing itself; auto protects between a Microphone and a Speaker, and nothing
    else. ``noise_suppression`` silences what is not close to the microphone. ``connect`` raises ConfigError for "aec"
    where the livekit package is missing. ``tap`` is shown all that passes between this end and the provider;
    ``backend_through`` may stand between this end and its backend.
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
        speak_text: Speak | None = None,
        echo: EchoPolicy = EchoPolicy.AUTO,
        noise_suppression: bool = False,
        tap: Tap | None = None,
        backend_through: Callable[[Backend], Backend] | None = None,
        on_transcript: Callable[[str, bool], None] | None = None,
        on_audio: Callable[[AudioFrame], None] | None = None,
        on_error: Callable[[CouchvoiceError], None] | None = None,
        on_connection_change: Callable[[str], None] | None = None,
    ) -> None:
        callbacks = Callbacks(
            on_transcript=on_transcript,
            on_audio=on_audio,
            on_error=on_error,
            on_connection_change=on_connection_change,
        )
        self._audience = Audience(callbacks)
        self._connections = Connections(endpoints, tap)
        self._backend_through = backend_through
        # Sound comes for nobody 50 times a second otherwise.
        self._overhear = self._audience.overhear if on_audio is not None else None
        self._request = request or SessionRequest(thread_id=f"thread_{secrets.token_hex(8)}")
        self._source = source
        self._sink = sink
        between_cards = isinstance(source, Microphone) and isinstance(sink, Speaker)
        self.echo = choose_policy(EchoPolicy(echo), between_cards=between_cards)  # never AUTO
        self._noise_suppression = noise_suppression
        self._finalize = finalize
        self._auto_connect = auto_connect
        self._speak_text = speak_text
        self._client: Client | None = None
        self._life: asyncio.Task[None] | None = None  # awaited in connect() when it fails early, else in disconnect()
        self._aborted = False
        self._muted = False
        self._error: CouchvoiceError | None = None

    # Life

    async def connect(self) -> None:
        """Return when the talk can begin. Raises CouchvoiceError, with everything released, when it cannot."""
        if self._life is not None:
            raise InvalidState("a VoiceSession is used once: make a new one")
        try:
            self._client = self._new_client()
            if self._muted:
                self._client.mute()
        except CouchvoiceError as exc:
            self._fail(exc)
            self._audience.leave()
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
        raise self._error or NotConnected(self.status)

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
        # Half a surrogate pair, as a terminal makes it of a byte that is no UTF-8, cannot be sent.
        self._require_client().send_text(text.encode("utf-8", "replace").decode())

    def interrupt(self) -> None:
        """Stop the answer that is being given. Raises NotConnected outside a talk."""
        self._require_client().interrupt()

    def respond(self) -> None:
        """Ask for an answer to what was said, where the server gives none by itself. Raises NotConnected."""
        self._require_client().respond()

    def mute(self) -> None:
        """Send silence in place of what the microphone hears, from the next 20 ms on; everything else goes on.

        At any time: a session that is muted before ``connect`` sends nothing from the beginning.
        """
        self._muted = True
        if self._client is not None:
            self._client.mute()

    def unmute(self) -> None:
        """The microphone is heard again, in the same talk."""
        self._muted = False
        if self._client is not None:
            self._client.unmute()

    def begin_speaking(self) -> None:
        """Push-to-talk, the button is down: the answer stops, and what the microphone hears from now on is sent.

        Raises NotConnected outside a talk, InvalidState while the server detects turns or the microphone is muted.
        Pressed twice is pressed once.
        """
        self._require_client().begin_speaking()

    def end_speaking(self) -> None:
        """Push-to-talk, the button is up: what was said is answered; after less than 0.1 s nothing is.

        Raises NotConnected outside a talk. Without a press it does nothing.
        """
        self._require_client().end_speaking()

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """The button is down while the context lasts. An error in it, or the end of the talk, lets it go as well."""
        self.begin_speaking()
        try:
            yield
        finally:
            if self.can_send:
                self.end_speaking()

    def give_feedback(self, feedback: str) -> None:
        """How the person found the talk: positive, negative, or skip. The last word goes with its end.

        Raises InvalidState when the talk has not begun or is over, ConfigError for another word.
        """
        if feedback not in get_args(Feedback):
            raise ConfigError(f'"{feedback}" is no feedback: choose one of {", ".join(get_args(Feedback))}')
        if self._client is None or self.state is SessionState.ENDED:
            raise InvalidState("feedback is about a talk that goes on")
        self._client.feedback = cast(Feedback, feedback)  # it was found among its words

    # What one can change: each returns when the provider has taken it, and raises UpdateRefused when it did not

    async def set_turn_detection(self, detection: Mapping[str, Any] | None) -> None:
        """As in the session config: server_vad, semantic_vad; None for push-to-talk."""
        await self._require_client().updates.set_turn_detection(detection)

    async def set_speed(self, speed: float) -> None:
        """Of the assistant's speech, 0.25 to 1.5, from its next answer on. Raises ConfigError for another."""
        await self._require_client().updates.set_speed(speed)

    async def set_modalities(self, modality: Modality) -> None:
        """Whether the assistant's next answers are spoken ("audio") or written ("text")."""
        await self._require_client().updates.set_modalities(modality)

    async def configure(self, *, mode: str | None = None, voice: str | None = None) -> None:
        """Let the backend change mode or voice; no voice is changed after the first sound. Raises BackendError, too."""
        await self._require_client().updates.configure(mode=mode, voice=voice)

    # What one can await

    async def finished_speaking(self) -> None:
        """Return when the source has handed out its last sample; a microphone never has."""
        await self._source.finished()

    async def quiet(self) -> None:
        """Return when nobody speaks and nothing is owed: no answer, no tool, no turn. Raises NotConnected."""
        await self._require_client().quiet.wait()

    def __aiter__(self) -> AsyncIterator[Notice]:
        """Everything that happens, in order, until the talk is over."""
        return aiter(self._audience)

    # What one can ask

    @property
    def state(self) -> SessionState:
        return self._client.session.state if self._client else SessionState.IDLE

    @property
    def status(self) -> str:
        """disconnected, connecting, connected; after a talk that broke: error or expired; mic_permission_denied."""
        return self._audience.status

    @property
    def error(self) -> CouchvoiceError | None:
        """Why the talk could not begin, or ended."""
        return self._error

    @property
    def transcript(self) -> tuple[str, ...]:
        """What was said so far, by both sides, in the order in which the first words of each came."""
        return self._audience.transcript

    @property
    def muted(self) -> bool:
        """Silence is sent in place of what the microphone hears."""
        return self._muted

    @property
    def is_speaking(self) -> bool:
        """The assistant can be heard."""
        return self.state is SessionState.ASSISTANT_SPEAKING

    @property
    def is_connected(self) -> bool:
        return self.status == "connected"

    @property
    def is_connecting(self) -> bool:
        return self.status == "connecting"

    @property
    def can_send(self) -> bool:
        return self.state in TALK

    @property
    def awaits_tool(self) -> bool:
        """A tool of the backend has not answered."""
        return self._client is not None and self._client.session.awaits_tool

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
    def levels(self) -> Levels:
        """How loud this moment is, in dBFS: what leaves for the provider, what is played. For a meter."""
        if self._client is None:
            return Levels(SILENCE_DB, SILENCE_DB)
        return Levels(self._client.input_meter.level(), self._client.playback.meter.level())

    @property
    def usage(self) -> Usage:
        """What the provider has counted so far: tokens, and seconds of transcription."""
        return self._client.session.usage if self._client else Usage()

    @property
    def playout(self) -> PlayoutCounters | None:
        return self._client.playback.buffer.counters if self._client else None

    # Behind the scenes

    def _new_client(self) -> Client:
        backend: Backend = self._connections.backend(self._request)
        return Client(
            key=secrets.token_hex(4),
            backend=backend if self._backend_through is None else self._backend_through(backend),
            source=self._source,
            sink=self._sink,
            open_transport=self._connections.transport,
            observe=self._audience.tell,
            overhear=self._overhear,
            finalize=self._finalize,
            speak_text=self._speak_text,
            echo=echo_control(self.echo, noise_suppression=self._noise_suppression),
        )

    async def _live(self, client: Client) -> None:
        try:
            await client.run()
        except CouchvoiceError as exc:
            self._fail(exc)
        finally:
            await self._connections.close()
            self._audience.leave()

    def _fail(self, failure: CouchvoiceError) -> None:
        self._error = failure
        self._audience.fail(failure, was_open=self._client is not None and self._client.was_open)

    def _require_client(self) -> Client:
        if self._client is None:
            raise NotConnected(self.status)
        return self._client
