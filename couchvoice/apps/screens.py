"""Which screen a talk gets: what was asked for, else what the terminal can show."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator

from couchvoice.apps.json_screen import JsonScreen
from couchvoice.apps.live_screen import LiveScreen
from couchvoice.apps.plain_screen import PlainScreen
from couchvoice.apps.screen import Screen
from couchvoice.errors import ConfigError


@contextlib.contextmanager
def screen_for(*, plain: bool, json: bool) -> Iterator[Screen]:
    """The terminal is as before when it is left. Raises ConfigError for a contradiction."""
    if plain and json:
        raise ConfigError("--plain and --json contradict each other: choose one")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows no "é" shows "?"; the talk goes on.
        sys.stdout.reconfigure(errors="replace")
    if json:
        yield JsonScreen()
    elif plain or not sys.stdout.isatty():
        yield PlainScreen()
    else:
        with LiveScreen() as screen:
            yield screen
