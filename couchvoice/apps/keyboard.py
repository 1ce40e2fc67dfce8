"""The keyboard: typed lines for the talk, from a terminal key by key, or from a pipe line by line.

Law: reading never holds up the loop or the end of the process (a daemon thread waits for the input), and the
terminal is as before when it is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

_ENTER = ("\n", "\r")
_ERASE = ("\x7f", "\b")


def is_readable(stream: TextIO | None) -> bool:
    """Whether typed lines can come from there. A job in the background would be stopped by reading its terminal."""
    if stream is None or stream.closed:
        return False
    try:
        if not stream.isatty():
            return True
        return os.name != "posix" or os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def read_lines(stream: TextIO, on_line: Callable[[str], None]) -> None:
    """Call ``on_line`` on the running loop for each line that is not blank, until the input ends."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(RuntimeError, OSError, ValueError):  # the loop is closed, the input is gone
            while line := stream.readline():
                if line.strip():
                    loop.call_soon_threadsafe(on_line, line.strip())

    threading.Thread(target=wait, name="typed-lines", daemon=True).start()


class LineEditor:
    """The input line: keys in, lines out. ``text`` is what stands there now."""

    def __init__(self) -> None:
        self.text = ""

    def key(self, key: str) -> str | None:
        """The line that this key completes."""
        if key in _ENTER:
            line, self.text = self.text.strip(), ""
            return line or None
        if key in _ERASE:
            self.text = self.text[:-1]
        elif key.isprintable():
            self.text += key
        return None


@contextlib.contextmanager
def keys_of_terminal(stream: TextIO, on_key: Callable[[str], None]) -> Iterator[None]:
    """Call ``on_key`` on the running loop for each key, while the context lasts. Ctrl-C stays a signal. POSIX only."""
    import termios
    import tty

    loop, terminal = asyncio.get_running_loop(), stream.fileno()
    before = termios.tcgetattr(terminal)

    def read() -> None:
        for key in os.read(terminal, 1024).decode(errors="ignore"):
            on_key(key)

    try:
        tty.setcbreak(terminal)
        loop.add_reader(terminal, read)
        yield
    finally:
        loop.remove_reader(terminal)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
