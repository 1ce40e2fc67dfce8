"""What every command does first and last: read the settings, and leave with one sentence and an exit status.

Law: a failure is never a traceback.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import typer

from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.log_lines import show_log_lines
from couchvoice.settings import Settings, load_settings

_LOG_LEVELS = ("debug", "info", "warning", "error")


class Feedback(StrEnum):
    """contract.Feedback, whose import would make --help slow."""

    positive = "positive"
    negative = "negative"
    skip = "skip"


class Auth(StrEnum):
    none = "none"
    jwt = "jwt"


def settings_from(**options: str | Path | float | None) -> Settings:
    try:
        settings = load_settings(options)
        if settings.log.lower() not in _LOG_LEVELS:
            raise ConfigError(f'COUCHVOICE_LOG is "{settings.log}": choose one of {", ".join(_LOG_LEVELS)}')
    except ConfigError as exc:
        fail(exc)
    show_log_lines(settings.log)
    return settings


def fail(error: CouchvoiceError) -> NoReturn:
    from couchvoice.apps import exit_status
    from couchvoice.apps.screen import clean

    typer.echo(f"error: {clean(str(error))}", err=True)
    raise typer.Exit(exit_status.exit_status(error, was_ready=False, debts_paid=True))
