"""``couchvoice talk``: one talk, from the options to the exit status.

It wires and waits; what a talk is stands in ``client``, what it looks like in the screens. Law: a WAV ends the talk
when everything that it asked for has been answered, and so does the end of typing where nobody speaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TextIO

from couchvoice import embedded
from couchvoice.apps import exit_status
from couchvoice.apps.keyboard import LineEditor, is_readable, keys_of_terminal, read_lines
from couchvoice.apps.leave import Leave
from couchvoice.apps.live_screen import LiveScreen
from couchvoice.apps.remembered_devices import RememberedDevices
from couchvoice.apps.screen import Screen
from couchvoice.apps.sound import hint_of_echo, hint_of_noise, sink_of, source_of, wav_of
from couchvoice.apps.talk_options import TalkOptions, echo_policy_of, request_of, require_listener
from couchvoice.apps.tally import ANSWER_MISSING, Summary, Tally
from couchvoice.apps.typed_lines import TypedLines
from couchvoice.audio.meter import Levels
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.own_voice import Speak
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import AUTO_LANGUAGE, UNAVAILABLE, VOICES
from couchvoice.core.notices import Notice, Problem
from couchvoice.core.turn_detection import read_turn_detection
from couchvoice.errors import CouchvoiceError, InvalidState, NotConnected, UpdateRefused
from couchvoice.settings import Settings

END_GRACE = 1.5  # seconds after the WAV's end in which its last words may still be on their way
END_TIMEOUT = 15.0  # seconds after the WAV's end; then the talk ends, whatever is owed
TYPED_END_TIMEOUT = 60.0  # seconds after the last typed line, as END_TIMEOUT; somebody waits for these answers
PATIENT_END = 20.0  # seconds for the debts of a talk that ended by itself

_MISSING = Problem(ANSWER_MISSING, "the provider did not answer in time")
_TOOL_MISSING = Problem(ANSWER_MISSING, "a tool of the backend did not answer in time")
_UNHEARD = "this backend leaves it to a button to say who speaks, and here is none: type, and press Enter"
_OFFLINE = "a talk with this machine alone needs no provider: couchvoice talk --provider local, without --backend"
_INCOGNITO = "incognito: the backend keeps nothing of this talk (--memory persistent lets it)"
_PERSISTENT = "persistent: the backend keeps the turns of this talk (--memory incognito does not)"


async def talk(settings: Settings, options: TalkOptions, screen: Screen) -> int:
    """Hold the talk. Returns the exit status; every error has been shown."""
    tally, leave = Tally(), Leave()
    error: CouchvoiceError | None = None
    try:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(leave.on_signals())
            request = request_of(options, embedded=settings.backend_url is None)
            require_listener(options, settings)
            echo = echo_policy_of(settings)
            wav = wav_of(options, stack)
            if isinstance(screen, LiveScreen):
                screen.hears = not options.is_typed
            screen.show_hint(_INCOGNITO if options.memory == "incognito" else _PERSISTENT)
            remembered = RememberedDevices(settings.state_dir)
            source, sink = source_of(options, wav, screen, remembered), sink_of(options, wav, screen, remembered)
            endpoints = await stack.enter_async_context(_endpoints(settings, wav, screen))
            leave.session = VoiceSession(
                endpoints,
                request,
                source=source,
                sink=sink,
                finalize=options.finalize,
                speak_text=_own_voice(options),
                echo=echo,
                noise_suppression=settings.noise_suppression,
            )
            if hint := hint_of_echo(echo, leave.session.echo):
                screen.show_hint(hint)
            if isinstance(screen, LiveScreen) and options.meter:
                screen.levels = functools.partial(_levels, leave.session)
            await _hold(leave, leave.session, screen, tally, options, wav, suppressed=settings.noise_suppression)
    except CouchvoiceError as exc:
        error = exc
    except asyncio.CancelledError:
        if leave.status is None:
            raise
    session = leave.session
    if session is not None:
        error = session.error or error
    # Whoever pressed Ctrl-C knows that the talk did not come about.
    if error is not None and not (leave.status and isinstance(error, NotConnected)):
        with leave.when_nobody_reads():
            screen.show_error(error)
            if error.code == UNAVAILABLE:
                screen.show_hint(_OFFLINE)
    status = leave.status or exit_status.exit_status(
        error,
        was_ready=session is not None and session.connect_ms is not None,
        debts_paid=session is None or (tally.answered and not (tally.refused or session.end_failed)),
    )
    with leave.when_nobody_reads():
        screen.show_summary(_summary(session, settings, tally, status))
    return leave.status or status


def _levels(session: VoiceSession) -> Levels:
    return session.levels


async def _hold(
    leave: Leave,
    session: VoiceSession,
    screen: Screen,
    tally: Tally,
    options: TalkOptions,
    wav: Path | None,
    *,
    suppressed: bool,
) -> None:
    def show(notice: Notice) -> None:
        tally.add(notice)
        with leave.when_nobody_reads():
            screen.show(notice)

    def show_hint(text: str) -> None:
        with leave.when_nobody_reads():
            screen.show_hint(text)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch(session, show), name="watch")
        try:
            await session.connect()
        except CouchvoiceError:
            return  # session.error has it
        await _set_up(session, options, show)
        if options.feedback is not None:
            with contextlib.suppress(InvalidState):  # the talk is over already
                session.give_feedback(options.feedback)
        if not (options.is_typed or _is_listened_to(session)):
            show_hint(_UNHEARD)
        if hint := hint_of_noise(session.session_config, suppressed=suppressed):
            show_hint(hint)
        lines = TypedLines(
            session, show=show, show_hint=show_hint, audible=not options.is_silent, patient=not _is_terminal(sys.stdin)
        )
        running = [tasks.create_task(lines.serve(), name="typed-lines")]
        if wav is not None:
            running.append(tasks.create_task(_end_with_source(session, show), name="end-with-source"))
        elif options.is_typed:
            running.append(tasks.create_task(_end_with_typing(session, lines, show), name="end-with-typing"))
        with _typing(lines, screen):
            await session.wait_ended()
        for task in running:
            task.cancel()


async def _watch(session: VoiceSession, show: Callable[[Notice], None]) -> None:
    async for notice in session:
        show(notice)


async def _end_with_source(session: VoiceSession, show: Callable[[Notice], None]) -> None:
    """The WAV is over: give its last words time to arrive, then its answers time to be given."""
    await session.finished_speaking()
    await asyncio.sleep(END_GRACE)
    await _end_with_last_answer(session, show, within=END_TIMEOUT - END_GRACE)


async def _end_with_typing(session: VoiceSession, lines: TypedLines, show: Callable[[Notice], None]) -> None:
    """Nothing more can be typed, and nobody speaks: what was asked is still answered."""
    await lines.ended.wait()
    await _end_with_last_answer(session, show, within=TYPED_END_TIMEOUT)


async def _end_with_last_answer(session: VoiceSession, show: Callable[[Notice], None], *, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await session.quiet()
    except TimeoutError:
        # What can be heard is an answer, though a long one; and after the talk none is owed.
        if session.can_send and not session.is_speaking:
            show(_TOOL_MISSING if session.awaits_tool else _MISSING)
    await session.disconnect(within=PATIENT_END)


def _is_listened_to(session: VoiceSession) -> bool:
    """Somebody but the client knows when the user has spoken."""
    detection = read_turn_detection(session.session_config)
    return detection is None or detection.detects


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


@contextlib.asynccontextmanager
async def _endpoints(settings: Settings, wav: Path | None, screen: Screen) -> AsyncIterator[Endpoints]:
    """The ends that the settings name, and the embedded ones in place of those that they don't."""
    if settings.backend_url is not None:
        yield Endpoints(
            backend_url=settings.backend_url,
            realtime_url=settings.realtime_url,
            provider=settings.provider,
            token=settings.token,
        )
        return
    recordings = [wav] if wav is not None and wav.with_suffix(".txt").exists() else []
    offline = (settings.provider or "local") == "local" and settings.realtime_url is None
    if offline and wav is not None and not recordings:
        screen.show_hint(f"no text beside {wav}; write {wav.with_suffix('.txt').name}, or use another provider")
    async with embedded.embedded_ends(settings, recordings=recordings, phrases=not recordings) as ends:
        yield Endpoints(**ends._asdict(), provider=settings.provider)


async def _set_up(session: VoiceSession, options: TalkOptions, show: Callable[[Notice], None]) -> None:
    """What is asked of the provider before the first answer. The talk goes on without what it refuses."""
    try:
        if options.speed is not None:
            await session.set_speed(options.speed)
        if options.text:
            await session.set_modalities("text")
    except NotConnected:
        pass  # the talk is over already
    except UpdateRefused as exc:
        if exc.code != NotConnected.code:  # as above
            show(Problem(exc.code, str(exc)))


@contextlib.contextmanager
def _typing(lines: TypedLines, screen: Screen) -> Iterator[None]:
    """Typed lines go into the talk, if somebody can type."""
    if not is_readable(sys.stdin):
        lines.end()
        yield
    elif isinstance(screen, LiveScreen) and _is_terminal(sys.stdin):
        editor = LineEditor()

        def key(key: str) -> None:
            if line := editor.key(key):
                lines.put(line)
            screen.typed = editor.text

        with keys_of_terminal(sys.stdin, key):
            yield
    else:
        read_lines(sys.stdin, lines.put, lines.end)
        yield


def _own_voice(options: TalkOptions) -> Speak | None:
    if not options.speak_text:
        return None
    return functools.partial(
        embedded.new_voice().speak,
        voice=options.voice or VOICES[0],
        speed=1.0 if options.speed is None else options.speed,
        language=None if options.language == AUTO_LANGUAGE else options.language,
    )


def _summary(session: VoiceSession | None, settings: Settings, tally: Tally, status: int) -> Summary:
    reply = session.reply if session else None
    end = session.end_reply if session else None
    return Summary(
        tally=tally,
        finalized=bool(end and end.finalized),
        provider=settings.provider or (reply.provider if reply else None),
        transport="webrtc",
        connect_ms=session.connect_ms if session else None,
        audio=session.playout if session and session.connect_ms is not None else None,
        exit_status=status,
    )
