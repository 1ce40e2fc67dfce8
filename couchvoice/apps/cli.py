"""The command ``couchvoice``: parse and wire, nothing else.

Law: whatever is heavy is imported inside a command, so that ``--help`` answers at once; a failure leaves as one
sentence on stderr and an exit status, never as a traceback.
"""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import Annotated

import typer

import couchvoice
from couchvoice.apps.command import Feedback, fail, settings_from
from couchvoice.apps.config_commands import config_app
from couchvoice.apps.memory_commands import memory_app
from couchvoice.apps.run_scenarios import run
from couchvoice.apps.serve_commands import serve_app
from couchvoice.apps.threads_commands import end, threads_app
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.errors import ConfigError, CouchvoiceError

app = typer.Typer(
    help="Realtime voice, with this process as the WebRTC peer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(serve_app, name="serve")
app.add_typer(config_app, name="config")
app.add_typer(threads_app, name="threads")
app.add_typer(memory_app, name="memory")
app.command()(end)

# contract.VOICES, whose import would make --help slow; a test compares them.
_VOICES = "alloy, ash, ballad, cedar, coral, echo, marin, sage, shimmer, verse"
_INTERRUPTED = 130  # the exit status of Ctrl-C


class Memory(StrEnum):
    incognito = "incognito"
    persistent = "persistent"


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
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who answers: local, openai, azure, or another that is installed or in the settings file. "
            "Default: the backend's; local without --backend.",
        ),
    ] = None,
    realtime_url: Annotated[
        str | None, typer.Option(help="Base URL of the provider, such as http://127.0.0.1:8766/v1.")
    ] = None,
    input: Annotated[
        str | None, typer.Option(help="Microphone (name, part of it, index, or default), or FILE.wav.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="Loudspeaker (as --input), FILE.wav, or none.")] = None,
    thread: Annotated[str | None, typer.Option(help="Thread to go on with. Default: a new one.")] = None,
    user: Annotated[str | None, typer.Option(help="User id for the backend.")] = None,
    memory: Annotated[Memory, typer.Option(help="Whether the backend keeps the turns.")] = Memory.incognito,
    demo: Annotated[bool, typer.Option("--demo", help="Let the shipped recording do the talking.")] = False,
    voice: Annotated[
        str | None, typer.Option(help=f"The assistant's voice. Without --backend one of: {_VOICES}.")
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="What the talk is for: companion, listener, guide, or a mode of your own."),
    ] = None,
    speed: Annotated[float | None, typer.Option(help="How fast the assistant speaks, 0.25 to 1.5.")] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the talk, such as en or de. Default: whichever is heard.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Answers in writing; without --input, type your part.")] = False,
    speak_text: Annotated[
        bool, typer.Option("--speak-text", help="Let a voice of this machine speak the answers that come in writing.")
    ] = False,
    echo: Annotated[
        EchoPolicy | None,
        typer.Option(
            help="Keep the assistant from hearing itself: aec cancels echo, duck passes who is louder, half-duplex"
            " passes nobody while it speaks (type to interrupt), none is for headphones. Default: auto, which is aec"
            " between sound cards if livekit is installed, else half-duplex."
        ),
    ] = None,
    noise_suppression: Annotated[
        bool, typer.Option("--noise-suppression", help="Silence whatever is not a voice close to the microphone.")
    ] = False,
    volume: Annotated[float, typer.Option(min=0, max=200, help="Of the loudspeaker, in percent, 0 to 200.")] = 100,
    no_meter: Annotated[bool, typer.Option("--no-meter", help="No level meter in the moving view.")] = False,
    no_finalize: Annotated[
        bool, typer.Option("--no-finalize", help="Leave the thread open: no /end after the talk.")
    ] = False,
    no_transcript: Annotated[
        bool, typer.Option("--no-transcript", help="Let the backend keep that there was a turn, not what was said.")
    ] = False,
    feedback: Annotated[
        Feedback | None, typer.Option(help="How the talk was; or type /feedback and the word before its end.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines of text, no moving view.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")] = False,
) -> None:
    """Talk. Speak, or type a line and press Enter; Ctrl-C ends the talk, twice at once.

    The lines /text and /voice choose whether the next answers are written or spoken; /mode NAME changes what
    the talk is for; /feedback positive (negative, skip) says how it was.
    """
    settings = settings_from(
        backend_url=backend,
        provider=provider,
        realtime_url=realtime_url,
        echo=echo,
        noise_suppression="true" if noise_suppression else None,
    )
    from couchvoice.apps.exit_status import SIGNALLED
    from couchvoice.apps.leave import LAST_THREADS, end_at_once, end_process
    from couchvoice.apps.screens import screen_for
    from couchvoice.apps.talk import talk as hold_talk
    from couchvoice.apps.talk_options import TalkOptions

    options = TalkOptions(
        input=input,
        output=output,
        demo=demo,
        thread=thread,
        user=user,
        memory=memory.value,
        voice=voice,
        mode=mode,
        speed=speed,
        language=language,
        text=text,
        speak_text=speak_text,
        finalize=not no_finalize,
        volume=volume,
        meter=not no_meter,
        transcript=not no_transcript,
        feedback=feedback.value if feedback else None,
    )
    try:
        with asyncio.Runner() as runner:
            with screen_for(plain=plain, json=json) as screen:
                status = runner.run(hold_talk(settings, options, screen))
            if status > SIGNALLED:
                end_at_once(status)
            end_process(status, within=LAST_THREADS)
    except ConfigError as exc:
        fail(exc)
    raise typer.Exit(status)


app.command()(run)


@app.command()
def devices(
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line, for each device.")] = False,
) -> None:
    """List the sound devices; * marks the system's defaults, and it is said which ones "talk" remembers."""
    settings = settings_from()
    from couchvoice.apps.device_list import device_lines

    try:
        lines = list(device_lines(settings.state_dir, as_json=json))
        for line in lines:
            typer.echo(line)
        if not lines:
            typer.echo("no sound devices: connect one, or use WAV files", err=True)
    except CouchvoiceError as exc:
        fail(exc)


@app.command()
def doctor(
    input: Annotated[str | None, typer.Option(help="The microphone to check (name, part of it, or index).")] = None,
    output: Annotated[str | None, typer.Option(help="The loudspeaker to check.")] = None,
    echo: Annotated[
        bool, typer.Option("--echo", help="Play a chirp, and say what to do about its echo (talk --echo).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per check on stdout.")] = False,
) -> None:
    """Check this machine's sound. Exit status: 0 nothing failed, 3 no sound card, 1 anything else."""
    settings_from()
    from couchvoice.apps.doctor import doctor as examine_and_show

    raise typer.Exit(asyncio.run(examine_and_show(input=input, output=output, echo=echo, json=json)))


def main() -> None:
    try:
        app()
    except KeyboardInterrupt:  # before a talk or a server listens to signals
        sys.exit(_INTERRUPTED)
