"""The commands ``couchvoice serve …``: parse and wire, nothing else. What serving is stands in serve.py.

Law: as in cli.py, whatever is heavy is imported inside a command.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from couchvoice.apps.command import Auth, fail, settings_from
from couchvoice.embedded import MAX_SESSIONS, SESSION_LIMIT, Endpoint, EngineOptions, ServerOptions
from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.private import Private
from couchvoice.settings import DEFAULT_BACKEND_PORT, DEFAULT_REALTIME_PORT

serve_app = typer.Typer(help="The two ends of a talk as servers of their own.", no_args_is_help=True)


_OFFLINE = "What hears and answers"
_ENDPOINTS = "OpenAI-compatible servers in place of what works offline (their key: COUCHVOICE_ENGINE_KEY)"
_CALLERS = "Who may call"
_SESSIONS = "Sessions"
_TESTING = "To test clients"


@serve_app.command("realtime")
def serve_realtime(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_REALTIME_PORT,
    replies: Annotated[
        Path | None, typer.Option(help="YAML file of the rules that answer.", rich_help_panel=_OFFLINE)
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder of NAME.wav with NAME.txt beside it, to be recognized.", rich_help_panel=_OFFLINE),
    ] = None,
    sherpa_onnx: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of a sherpa-onnx model, to transcribe with.", rich_help_panel=_OFFLINE
        ),
    ] = None,
    transcription_url: Annotated[
        str | None,
        typer.Option(
            help="Base URL of a server that transcribes, such as http://127.0.0.1:8000/v1.", rich_help_panel=_ENDPOINTS
        ),
    ] = None,
    transcription_model: Annotated[str | None, typer.Option(help="Its model.", rich_help_panel=_ENDPOINTS)] = None,
    chat_url: Annotated[
        str | None,
        typer.Option(
            help="Base URL of a server that chats, such as http://127.0.0.1:11434/v1.", rich_help_panel=_ENDPOINTS
        ),
    ] = None,
    chat_model: Annotated[str | None, typer.Option(help="Its model.", rich_help_panel=_ENDPOINTS)] = None,
    speech_url: Annotated[
        str | None, typer.Option(help="Base URL of a server that makes speech.", rich_help_panel=_ENDPOINTS)
    ] = None,
    speech_model: Annotated[str | None, typer.Option(help="Its model.", rich_help_panel=_ENDPOINTS)] = None,
    api_key: Annotated[
        str | None, typer.Option(help="The only API key. Default: any that is not empty.", rich_help_panel=_CALLERS)
    ] = None,
    single_use_secrets: Annotated[
        bool,
        typer.Option("--single-use-secrets", help="A client secret opens one session.", rich_help_panel=_CALLERS),
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="A web page that may call, such as https://example.org; * for any. May be repeated. "
            "Pages of this machine always may.",
            rich_help_panel=_CALLERS,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name by which the server may be called. May be repeated. "
            "Default: this machine's own names; any name when it listens to other machines.",
            rich_help_panel=_CALLERS,
        ),
    ] = None,
    max_sessions: Annotated[
        int, typer.Option(min=1, help="How many may be open at once.", rich_help_panel=_SESSIONS)
    ] = MAX_SESSIONS,
    session_limit: Annotated[
        float,
        typer.Option(min=1, metavar="SECONDS", help="How long one may last.", rich_help_panel=_SESSIONS),
    ] = SESSION_LIMIT,
    beta: Annotated[
        bool,
        typer.Option(
            "--beta",
            help="Serve the paths and names of OpenAI's beta and of Azure's preview, too.",
            rich_help_panel=_TESTING,
        ),
    ] = False,
    strict_lite: Annotated[
        bool,
        typer.Option(
            "--strict-lite",
            help="Answer consent checks as ICE-lite ends do: only with USE-CANDIDATE.",
            rich_help_panel=_TESTING,
        ),
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A cassette of couchvoice run --record, which answers every caller.",
            rich_help_panel=_TESTING,
        ),
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="YAML file that says which call goes wrong, and how.", rich_help_panel=_TESTING
        ),
    ] = None,
) -> None:
    """Serve a Realtime API for use offline, over WebRTC and WebSocket."""
    key = settings_from().engine_key
    from couchvoice.apps import serve

    try:
        engines = EngineOptions(
            recordings=recordings_in(recordings) if recordings else (),
            replies=replies,
            sherpa_onnx=sherpa_onnx,
            transcription=_endpoint("transcription", transcription_url, transcription_model, key),
            chat=_endpoint("chat", chat_url, chat_model, key),
            speech=_endpoint("speech", speech_url, speech_model, key),
        )
        server = ServerOptions(
            api_key=api_key,
            strict_lite=strict_lite,
            session_limit=session_limit,
            max_sessions=max_sessions,
            single_use_secrets=single_use_secrets,
            allowed_origins=allow_origin or (),
            allowed_hosts=allow_host or (),
            beta=beta,
            faults=faults,
        )
        asyncio.run(serve.serve_realtime(host, port, engines, server, replay=replay))
    except CouchvoiceError as exc:
        fail(exc)


def recordings_in(folder: Path) -> list[Path]:
    """The WAVs that have their text beside them. Raises ConfigError when there are none."""
    wavs = sorted(wav for wav in folder.glob("*.wav") if wav.with_suffix(".txt").exists())
    if not wavs:
        raise ConfigError(f"{folder} holds no recording: --recordings names a folder of NAME.wav and NAME.txt")
    return wavs


def _endpoint(name: str, url: str | None, model: str | None, key: Private | None) -> Endpoint | None:
    """Raises ConfigError when one half of it is missing."""
    if url and model:
        return Endpoint(url=url, model=model, key=key)
    if url is None and model is None:
        return None
    raise ConfigError(f"--{name}-url and --{name}-model need each other, each with a value")


@serve_app.command("backend")
def serve_backend(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_BACKEND_PORT,
    provider: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where secrets are minted: local (default), openai, azure, or another."),
    ] = None,
    realtime_url: Annotated[str | None, typer.Option(help="Base URL of the provider.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL. Default: a file in the state folder.")] = None,
    modes: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of modes (NAME.yaml), beside the shipped ones.")
    ] = None,
    finalize_after: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="End a session without a turn for so long. Default: 1200."),
    ] = None,
    auth: Annotated[
        Auth | None,
        typer.Option(
            help="jwt: whoever calls needs a token (COUCHVOICE_JWT_KEY or COUCHVOICE_JWKS_URL). "
            "Default: none, and then this machine only.",
            rich_help_panel=_CALLERS,
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="A web page that may call, such as https://example.org; * for any. May be repeated. Default: none.",
            rich_help_panel=_CALLERS,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name by which the backend may be called. May be repeated. "
            "Default: this machine's own names; any name when it listens to other machines.",
            rich_help_panel=_CALLERS,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="PEM file of the certificate and its chain: serve over TLS.", rich_help_panel=_CALLERS
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file of its private key.", rich_help_panel=_CALLERS)
    ] = None,
    session_rate: Annotated[
        int | None,
        typer.Option(min=1, help="Sessions a minute for each user. Default: 10.", rich_help_panel=_CALLERS),
    ] = None,
    tool_rate: Annotated[
        int | None,
        typer.Option(min=1, help="Tool calls a minute for each user. Default: 60.", rich_help_panel=_CALLERS),
    ] = None,
) -> None:
    """Serve the reference backend; with the local provider and no URL, the local Realtime server beside it."""
    settings = settings_from(
        provider=provider,
        realtime_url=realtime_url,
        database_url=database,
        modes_dir=str(modes) if modes else None,
        finalize_after=finalize_after,
        auth=auth.value if auth else None,
        allow_origin=" ".join(allow_origin) if allow_origin else None,
        allow_host=" ".join(allow_host) if allow_host else None,
        certificate=certificate,
        certificate_key=key,
        session_rate=session_rate,
        tool_rate=tool_rate,
    )
    from couchvoice.apps import serve

    try:
        asyncio.run(serve.serve_backend(host, port, settings))
    except CouchvoiceError as exc:
        fail(exc)
