"""The log of a process, as lines on stderr that are safe to look at.

A library never configures logging: this is for who owns the process. Law: log lines may quote the network; what would
steer a terminal is shown, not sent.
"""

from __future__ import annotations

import logging
import sys

_EVENTS = "couchvoice.backend.events"


def show_log_lines(level: str) -> None:
    """Ours from this level on; of others what went wrong."""
    log_lines = logging.StreamHandler(sys.stderr)
    log_lines.setFormatter(LogLine("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log_lines])
    logging.getLogger("couchvoice").setLevel(level.upper())
    # They warn with tracebacks of what a far end sends; what it means for the talk, we say.
    for library in ("aioice", "aiortc"):
        logging.getLogger(library).setLevel(logging.ERROR)


class LogLine(logging.Formatter):
    """One event, one line; only a traceback has more."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).strip().replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        if record.name == _EVENTS:  # JSON, for whoever reads logs by machine
            return record.getMessage()
        return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in super().format(record))
