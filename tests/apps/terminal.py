"""A terminal for a command to run in: what it shows, its keys, and how it is set."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.apps.command import PATIENCE, ROOT, survivors
from tests.patience import until

CTRL_C = b"\x03"

_CHUNK = 65_536  # bytes
_STORY = 500  # characters of what it showed, when a test fails
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
# A terminal sends Ctrl-C as a signal to the session that it controls.
_CONTROLLED = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
)


class Terminal:
    """``before``: how the terminal was set when the command had not begun."""

    def __init__(self, own: int, theirs: int) -> None:
        self._own = own
        self._theirs = theirs
        self._shown = b""
        self.before = self.attributes()

    def attributes(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    @property
    def shown(self) -> str:
        return self._shown.decode(errors="replace")

    async def shows(self, words: str) -> None:
        """Wait for these words, in whatever colours."""
        try:
            await until(lambda: words in _STYLE.sub("", self.shown), within=PATIENCE)
        except TimeoutError as exc:
            raise AssertionError(f"no {words!r} in …{self.shown[-_STORY:]}") from exc

    def press(self, keys: bytes) -> None:
        os.write(self._own, keys)

    def read(self) -> None:
        with suppress(OSError):  # the last program has closed it
            self._shown += os.read(self._own, _CHUNK)


class InTerminal:
    """A command and its terminal."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: Terminal) -> None:
        self.process = process
        self.terminal = terminal

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            status = await self.process.wait()
        assert "Traceback" not in self.terminal.shown
        await until(lambda: not survivors(self.process.pid))
        return status


@asynccontextmanager
async def in_terminal(*arguments: str) -> AsyncIterator[InTerminal]:
    """``couchvoice ARGUMENTS`` as a user types it."""
    loop = asyncio.get_running_loop()
    own, theirs = os.openpty()
    terminal = Terminal(own, theirs)
    loop.add_reader(own, terminal.read)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _CONTROLLED, sys.executable, "-m", "couchvoice", *arguments),
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "PYTHONUTF8": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        try:
            yield InTerminal(process, terminal)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    finally:
        loop.remove_reader(own)
        os.close(own)
        os.close(theirs)
