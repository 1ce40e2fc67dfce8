"""One event is one line of the log, whatever the network says in it; and uvicorn says what is so."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest

from couchvoice.apps.uvicorn_log import UvicornLog
from couchvoice.log_lines import LogLine


def record(message: str, *args: object, failure: BaseException | None = None) -> logging.LogRecord:
    exc_info = None
    if failure is not None:
        try:
            raise failure
        except BaseException:
            exc_info = sys.exc_info()
    return logging.LogRecord("couchvoice.local", logging.ERROR, __file__, 1, message, args, exc_info)


def test_what_the_network_says_begins_no_line_and_steers_no_terminal() -> None:
    line = LogLine("%(levelname)s %(message)s").format(record("x %s", "a\r\nERROR b\x1b[2J\u2028c"))
    assert line == "ERROR x a\\r\\nERROR b\\x1b[2J\\u2028c"


def test_a_traceback_keeps_its_lines() -> None:
    first, *rest = LogLine("%(message)s").format(record("it failed\n", failure=KeyError("k"))).splitlines()
    assert first == "it failed"
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "KeyError: 'k'"


@pytest.mark.parametrize(
    ("message", "failure", "lines"),
    [
        ("ASGI callable returned without completing handshake.", None, []),
        (
            "Invalid UTF-8 sequence received from client.",
            ValueError(),
            ["Invalid UTF-8 sequence received from client."],
        ),
        ("Exception in ASGI application\n", asyncio.CancelledError(), ["A request was cut off."]),
        ("Something else", None, ["Something else"]),
    ],
)
def test_uvicorn_says_what_is_so_in_one_line(message: str, failure: BaseException | None, lines: list[str]) -> None:
    said = record(message, failure=failure)
    shown = [LogLine("%(message)s").format(said)] if UvicornLog().filter(said) else []
    assert shown == lines


def test_a_failure_of_ours_keeps_its_traceback() -> None:
    said = record("Exception in ASGI application\n", failure=KeyError("k"))
    assert UvicornLog().filter(said)
    assert said.exc_info is not None
