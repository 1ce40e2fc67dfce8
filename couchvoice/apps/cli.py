"""The command ``couchvoice``: parse and wire, nothing else.

Law: whatever is heavy is imported inside a command, so that ``--help`` answers at once; a failure leaves as one
sentence on stderr and an exit status, never as a traceback.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import couchvoice
from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.settings import DEFAULT_BACKEND_PORT, DEFAULT_REALTIME_PORT, Settings, load_settings

app = typer.Typer(
    help="Realtime voice, with this process as the WebRTC peer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
serve_app = typer.Typer(help="The two ends of a talk as servers of their own.", no_args_is_help=True)
app.add_typer(serve_app, name="serve")

# contract.VOICES, whose import would make --help slow; a test compares them.
_VOICES = "alloy, ash, ballad, cedar, coral, echo, marin, sage, shimmer, verse"
_INTERRUPTED = 130  # the exit status of Ctrl-C

_LOG_LEVELS = ("debug", "info", "warning", "error")


class Memory(StrEnum):
    incognito = "incognito"
    persistent = "persistent"


class Provider(StrEnum):
    local = "local"
    openai = "openai"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"couchvoice {couchvoice.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def talk(
    backend: Annotated[str | None, typer.Option(help="URL of the backend. Default: one inside this process.")] = None,
    provider: Annotated[
        Provider | None, typer.Option(help="Who answers. Default: the backend's; local without --backend.")
    ] = None,
    realtime_url: Annotated[
        str | None, typer.Option(help="Base URL of the provider, such as http://127.0.0.1:8766/v1.")
    ] = None,
    input: Annotated[str | None, typer.Option(help="Microphone (name, part of it, or index), or FILE.wav.")] = None,
    output: Annotated[str | None, typer.Option(help="Loudspeaker, FILE.wav, or none.")] = None,
    thread: Annotated[str | None, typer.Option(help="Thread to go on with. Default: a new one.")] = None,
    user: Annotated[str | None, typer.Option(help="User id for the backend.")] = None,
    memory: Annotated[Memory, typer.Option(help="Whether the backend keeps the turns.")] = Memory.incognito,
    demo: Annotated[bool, typer.Option("--demo", help="Let the shipped recording do the talking.")] = False,
    voice: Annotated[
        str | None, typer.Option(help=f"The assistant's voice. Without --backend one of: {_VOICES}.")
    ] = None,
    no_finalize: Annotated[
        bool, typer.Option("--no-finalize", help="Leave the thread open: no /end after the talk.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines of text, no moving view.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")] = False,
) -> None:
    """Talk. Speak, or type a line and press Enter; Ctrl-C ends the talk, twice at once."""
    settings = _settings(backend_url=backend, provider=provider.value if provider else None, realtime_url=realtime_url)
    from couchvoice.apps.leave import LAST_THREADS, end_process
    from couchvoice.apps.screens import screen_for
    from couchvoice.apps.talk import TalkOptions
    from couchvoice.apps.talk import talk as hold_talk

    options = TalkOptions(
        input=input,
        output=output,
        demo=demo,
        thread=thread,
        user=user,
        memory=memory.value,
        voice=voice,
        finalize=not no_finalize,
    )
    try:
        with asyncio.Runner() as runner:
            with screen_for(plain=plain, json=json) as screen:
                status = runner.run(hold_talk(settings, options, screen))
            end_process(status, within=LAST_THREADS)
    except ConfigError as exc:
        _fail(exc)
    raise typer.Exit(status)


@app.command()
def devices() -> None:
    """List the sound devices; * marks the defaults."""
    from couchvoice.apps.screen import clean
    from couchvoice.audio.devices import list_devices

    try:
        for device in list_devices():
            default = "*" if device.is_default_input or device.is_default_output else " "
            channels = f"{device.input_channels} in, {device.output_channels} out"
            typer.echo(f"{default} {device.index:>3}  {clean(device.name)}  ({channels}, {device.default_rate} Hz)")
    except CouchvoiceError as exc:
        _fail(exc)


@serve_app.command("realtime")
def serve_realtime(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_REALTIME_PORT,
    replies: Annotated[Path | None, typer.Option(help="YAML file of the rules that answer.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of NAME.wav with NAME.txt beside it, to be recognized.")
    ] = None,
    api_key: Annotated[str | None, typer.Option(help="The only API key. Default: any that is not empty.")] = None,
    strict_lite: Annotated[
        bool, typer.Option("--strict-lite", help="Answer consent checks as ICE-lite ends do: only with USE-CANDIDATE.")
    ] = False,
) -> None:
    """Serve a Realtime API for use offline, over WebRTC."""
    _settings()
    from couchvoice.apps import serve

    try:
        known = serve.recordings_in(recordings) if recordings else []
        serving = serve.serve_realtime(
            host, port, replies=replies, recordings=known, api_key=api_key, strict_lite=strict_lite
        )
        asyncio.run(serving)
    except CouchvoiceError as exc:
        _fail(exc)


@serve_app.command("backend")
def serve_backend(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_BACKEND_PORT,
    provider: Annotated[Provider | None, typer.Option(help="Where secrets are minted. Default: local.")] = None,
    realtime_url: Annotated[str | None, typer.Option(help="Base URL of the provider.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL. Default: a file in the state folder.")] = None,
) -> None:
    """Serve the reference backend; with the local provider and no URL, the local Realtime server beside it."""
    settings = _settings(
        provider=provider.value if provider else None, realtime_url=realtime_url, database_url=database
    )
    from couchvoice.apps import serve

    try:
        asyncio.run(serve.serve_backend(host, port, settings))
    except CouchvoiceError as exc:
        _fail(exc)


def _settings(**options: str | None) -> Settings:
    try:
        settings = load_settings(options)
        if settings.log.lower() not in _LOG_LEVELS:
            raise ConfigError(f'COUCHVOICE_LOG is "{settings.log}": choose one of {", ".join(_LOG_LEVELS)}')
    except ConfigError as exc:
        _fail(exc)
    log_lines = logging.StreamHandler(sys.stderr)
    log_lines.setFormatter(_LogLine("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log_lines])
    logging.getLogger("couchvoice").setLevel(settings.log.upper())
    # They warn with tracebacks of what a far end sends; what it means for the talk, we say.
    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.ERROR)
    return settings


class _LogLine(logging.Formatter):
    """Log lines may quote the network: what would steer a terminal is shown, not sent."""

    def format(self, record: logging.LogRecord) -> str:
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in super().format(record))


def _fail(error: CouchvoiceError) -> NoReturn:
    from couchvoice.apps import exit_status
    from couchvoice.apps.screen import clean

    typer.echo(f"error: {clean(str(error))}", err=True)
    raise typer.Exit(exit_status.exit_status(error, was_ready=False, debts_paid=True))


def main() -> None:
    try:
        app()
    except KeyboardInterrupt:  # before a talk or a server listens to signals
        sys.exit(_INTERRUPTED)
