"""The commands ``couchvoice serve …``: parse and wire, nothing else. What serving is stands in serve.py.

Law: as in cli.py, whatever is heavy is imported inside a command.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from couchvoice.apps.command import Provider, fail, settings_from
from couchvoice.errors import CouchvoiceError
from couchvoice.settings import DEFAULT_BACKEND_PORT, DEFAULT_REALTIME_PORT

serve_app = typer.Typer(help="The two ends of a talk as servers of their own.", no_args_is_help=True)


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
    settings_from()
    from couchvoice.apps import serve

    try:
        known = serve.recordings_in(recordings) if recordings else []
        serving = serve.serve_realtime(
            host, port, replies=replies, recordings=known, api_key=api_key, strict_lite=strict_lite
        )
        asyncio.run(serving)
    except CouchvoiceError as exc:
        fail(exc)


@serve_app.command("backend")
def serve_backend(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = DEFAULT_BACKEND_PORT,
    provider: Annotated[Provider | None, typer.Option(help="Where secrets are minted. Default: local.")] = None,
    realtime_url: Annotated[str | None, typer.Option(help="Base URL of the provider.")] = None,
    database: Annotated[str | None, typer.Option(help="SQLAlchemy URL. Default: a file in the state folder.")] = None,
) -> None:
    """Serve the reference backend; with the local provider and no URL, the local Realtime server beside it."""
    settings = settings_from(
        provider=provider.value if provider else None, realtime_url=realtime_url, database_url=database
    )
    from couchvoice.apps import serve

    try:
        asyncio.run(serve.serve_backend(host, port, settings))
    except CouchvoiceError as exc:
        fail(exc)
