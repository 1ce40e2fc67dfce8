"""``couchvoice talk``: one talk, from the options to the exit status.

It wires and waits; what a talk is stands in ``client``, what it looks like in the screens. Law: a WAV ends the talk
when everything that it asked for has been answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from couchvoice import embedded
from couchvoice.apps import exit_status
from couchvoice.apps.keyboard import LineEditor, is_readable, keys_of_terminal, read_lines
from couchvoice.apps.leave import Leave
from couchvoice.apps.live_screen import LiveScreen
from couchvoice.apps.screen import Screen
from couchvoice.apps.tally import Summary, Tally
from couchvoice.audio.devices import Microphone, Speaker, find_input, find_output
from couchvoice.audio.sink import NullSink, Sink
from couchvoice.audio.source import Source
from couchvoice.audio.wav import WavSink, WavSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import VOICES, MemoryMode, SessionRequest
from couchvoice.core.notices import Problem
from couchvoice.errors import AudioDeviceError, ConfigError, CouchvoiceError, MessageTooLarge, NotConnected
from couchvoice.settings import Settings

END_GRACE = 1.5  # seconds after the WAV's end in which its last words may still be on their way
END_TIMEOUT = 15.0  # seconds after the WAV's end; then the talk ends, whatever is owed
PATIENT_END = 20.0  # seconds for the debts of a talk that ended by itself
DEMO_WAV = "first-talk.wav"

_WAV_SUFFIX = ".wav"
_FILE_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}", re.IGNORECASE)  # not the end of "Speaker 2.0"
_NO_OUTPUT = "none"

_INCOGNITO = "incognito: the backend keeps nothing of this talk (--memory persistent lets it)"
_PERSISTENT = "persistent: the backend keeps the turns of this talk (--memory incognito does not)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkOptions:
    """The command line of ``talk``, as far as it is no setting."""

    input: str | None = None
    output: str | None = None
    demo: bool = False
    thread: str | None = None
    user: str | None = None
    memory: MemoryMode = "incognito"
    voice: str | None = None
    finalize: bool = True


async def talk(settings: Settings, options: TalkOptions, screen: Screen) -> int:
    """Hold the talk. Returns the exit status; every error has been shown."""
    tally, leave = Tally(), Leave()
    error: CouchvoiceError | None = None
    try:
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(leave.on_signals())
            wav = _wav_of(options, stack)
            screen.show_hint(_INCOGNITO if options.memory == "incognito" else _PERSISTENT)
            source, sink = _source(options, wav), _sink(options, wav, screen)
            request = _request(settings, options)
            endpoints = await stack.enter_async_context(_endpoints(settings, wav, screen))
            leave.session = VoiceSession(endpoints, request, source=source, sink=sink, finalize=options.finalize)
            await _hold(leave, leave.session, screen, tally, ends_with_source=wav is not None)
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
    status = leave.status or exit_status.exit_status(
        error,
        was_ready=session is not None and session.connect_ms is not None,
        debts_paid=session is None or not (tally.refused or session.end_failed),
    )
    with leave.when_nobody_reads():
        screen.show_summary(_summary(session, settings, tally, status))
    return leave.status or status


async def _hold(leave: Leave, session: VoiceSession, screen: Screen, tally: Tally, *, ends_with_source: bool) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_watch(leave, session, screen, tally), name="watch")
        try:
            await session.connect()
        except CouchvoiceError:
            return  # session.error has it
        ending = tasks.create_task(_end_with_source(session), name="end-with-source") if ends_with_source else None
        with _typing(session, screen):
            await session.wait_ended()
        if ending is not None:
            ending.cancel()


async def _watch(leave: Leave, session: VoiceSession, screen: Screen, tally: Tally) -> None:
    async for notice in session:
        tally.add(notice)
        with leave.when_nobody_reads():
            screen.show(notice)


async def _end_with_source(session: VoiceSession) -> None:
    """The WAV is over: give its last words time to arrive, then its answers time to be given."""
    await session.finished_speaking()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_TIMEOUT):
            await asyncio.sleep(END_GRACE)
            await session.quiet()
    await session.disconnect(within=PATIENT_END)


def _wav_of(options: TalkOptions, stack: contextlib.ExitStack | contextlib.AsyncExitStack) -> Path | None:
    """The WAV that is the microphone, if one is."""
    if options.demo:
        if options.input is not None:
            raise ConfigError("--demo is its own input: leave out --input")
        return stack.enter_context(resources.as_file(resources.files("couchvoice.apps") / DEMO_WAV))
    if options.input is None:
        return None
    path = Path(options.input)
    # os.path: a device's name may be no possible name of a file.
    return path if path.suffix.lower() == _WAV_SUFFIX or os.path.exists(path) else None


def _source(options: TalkOptions, wav: Path | None) -> Source:
    if wav is not None:
        return WavSource(wav)
    find_input(options.input)
    return Microphone(options.input)


def _sink(options: TalkOptions, wav: Path | None, screen: Screen) -> Sink:
    if options.output == _NO_OUTPUT:
        return NullSink()
    if options.output is not None and Path(options.output).suffix.lower() == _WAV_SUFFIX:
        if wav is not None and Path(options.output).resolve() == wav.resolve():
            raise ConfigError(f"{wav} is the input: choose another file for --output")
        return WavSink(options.output)
    try:
        find_output(options.output)
    except AudioDeviceError as exc:
        # Not before: a device's name may hold a slash or a dot.
        if options.output is not None and _is_path(options.output):
            raise ConfigError(f"--output {options.output}: only .wav files are written") from exc
        # A WAV talk needs no loudspeaker; who named one, or speaks, does.
        if options.output is not None or wav is None:
            raise
        screen.show_hint(f"no sound will be heard ({exc}); --output FILE.wav keeps it")
        return NullSink()
    return Speaker(options.output)


def _is_path(name: str) -> bool:
    return bool(_FILE_SUFFIX.fullmatch(Path(name).suffix) or os.path.dirname(name) or os.path.exists(name))


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


def _request(settings: Settings, options: TalkOptions) -> SessionRequest:
    # A backend that is not ours may know others.
    if settings.backend_url is None and options.voice is not None and options.voice not in VOICES:
        raise ConfigError(f'unknown voice "{options.voice}": choose one of {", ".join(VOICES)}')
    try:
        return SessionRequest(
            thread_id=options.thread if options.thread is not None else f"thread_{secrets.token_hex(8)}",
            user_id=options.user,
            memory_mode=options.memory,
            assistant_voice=options.voice,
        )
    except ValueError as exc:
        raise ConfigError("--thread must name a thread (1 to 200 characters), --user and --voice must be text") from exc


@contextlib.contextmanager
def _typing(session: VoiceSession, screen: Screen) -> Iterator[None]:
    """Typed lines go into the talk, if somebody can type."""

    def send(line: str) -> None:
        try:
            session.send_message(line)
        except NotConnected:
            pass  # the talk ended as Enter was pressed
        except MessageTooLarge as exc:
            screen.show(Problem(exc.code, str(exc)))

    if not is_readable(sys.stdin):
        yield
    elif isinstance(screen, LiveScreen) and sys.stdin.isatty():
        editor = LineEditor()

        def key(key: str) -> None:
            if line := editor.key(key):
                send(line)
            screen.typed = editor.text

        with keys_of_terminal(sys.stdin, key):
            yield
    else:
        read_lines(sys.stdin, send)
        yield


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
