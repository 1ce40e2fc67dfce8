"""What every command does first and last: read the settings, and leave with one sentence and an exit status.

Law: a failure is never a traceback; what would steer a terminal is shown, not sent.
"""

from __future__ import annotations

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import NoReturn

import typer

from couchvoice.errors import ConfigError, CouchvoiceError
from couchvoice.settings import Settings, load_settings

_EVENTS = "couchvoice.backend.events"
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
    log_lines = logging.StreamHandler(sys.stderr)
    log_lines.setFormatter(_LogLine("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log_lines])
    logging.getLogger("couchvoice").setLevel(settings.log.upper())
    # They warn with tracebacks of what a far end sends; what it means for the talk, we say.
    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.ERROR)
    return settings


class _LogLine(logging.Formatter):
    """Log lines may quote the network: what would steer a terminal is shown, not sent.

    One event, one line; only a traceback has more.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).strip().replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        if record.name == _EVENTS:  # JSON, for whoever reads logs by machine
            return record.getMessage()
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in super().format(record))


def fail(error: CouchvoiceError) -> NoReturn:
    from couchvoice.apps import exit_status
    from couchvoice.apps.screen import clean

    typer.echo(f"error: {clean(str(error))}", err=True)
    raise typer.Exit(exit_status.exit_status(error, was_ready=False, debts_paid=True))
