"""The command ``run``: parse and wire."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from couchvoice.apps.command import fail, settings_from
from couchvoice.errors import ConfigError


def run(
    scenarios: Annotated[
        list[Path] | None, typer.Argument(metavar="SCENARIO…", help="Files of scripted conversations, or folders.")
    ] = None,
    shipped: Annotated[bool, typer.Option("--shipped", help="Those that come with couchvoice.")] = False,
    backend: Annotated[str | None, typer.Option(help="URL of the backend. Default: one for each scenario.")] = None,
    provider: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers. Default: local.")] = None,
    realtime_url: Annotated[str | None, typer.Option(help="Base URL of the provider.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results as JUnit's XML.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all results as JSON.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write one page to look at, with the sound.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep a cassette of the talk; of several, one for each in this folder."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Let a cassette answer, or those of a folder: no provider is asked."),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            help="At most so many seconds of talk in one of real time; 1 is real time. Default: as fast as it can"
            " with both embedded ends, else real time."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes side by side. Default: one for each core.")] = None,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help="Only the I-th of N parts of the scenarios.")] = None,
    retry: Annotated[int, typer.Option(help="Hold a scenario that failed so often again.")] = 0,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="The first failure ends the run.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and hold again what has changed.")] = False,
) -> None:
    """Hold scripted conversations. Exit status: 0 all passed, 1 one failed, 2 a wrong script or option."""
    named = {"backend_url": backend, "provider": provider, "realtime_url": realtime_url}
    settings = settings_from(**named)
    from couchvoice.apps.run_command import run as hold_them
    from couchvoice.apps.run_options import RunOptions

    options = RunOptions(
        scenarios=scenarios or [],
        settings=dict(named),
        shipped=shipped,
        junit=junit,
        json=json,
        report=report,
        record=record,
        replay=replay,
        speed=speed,
        workers=workers,
        shard=shard,
        retry=retry,
        fail_fast=fail_fast,
        watch=watch,
    )
    try:
        status = asyncio.run(hold_them(options, settings))
    except ConfigError as exc:
        fail(exc)
    raise typer.Exit(status)
