"""The keyboard: typed lines for the talk, from a terminal key by key, or from a pipe line by line.

Law: reading never holds up the loop or the end of the process (a daemon thread waits for the input), and the
terminal is as before when it is left.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

_ENTER = ("\n", "\r")
_ERASE = ("\x7f", "\b")
# What arrow and function keys send. Without its first character it would stand in the line.
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.|$)", re.DOTALL)
_CHUNK = 1024  # bytes


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


def read_lines(stream: TextIO, on_line: Callable[[str], None], on_end: Callable[[], None] = lambda: None) -> None:
    """Call ``on_line`` on the running loop for each line that is not blank, then ``on_end`` as the input ends."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(RuntimeError, OSError, ValueError):  # the loop is closed, the input is gone
            # As bytes: one that is no UTF-8 must not end the typing.
            while line := stream.buffer.readline():
                if text := line.decode("utf-8", "replace").strip():
                    loop.call_soon_threadsafe(on_line, text)
            loop.call_soon_threadsafe(on_end)

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
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    def read() -> None:
        try:
            chunk = os.read(terminal, _CHUNK)
        except OSError:
            chunk = b""
        if not chunk:  # the terminal is gone: it would be readable for ever
            loop.remove_reader(terminal)
        for key in _ESCAPE_SEQUENCE.sub("", decoder.decode(chunk)):
            on_key(key)

    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)  # what was typed ahead stays
        loop.add_reader(terminal, read)
        yield
    finally:
        loop.remove_reader(terminal)
        with contextlib.suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
