"""The command ``couchvoice`` as a process, read while it runs.

Law: it leads a session of its own, so that whatever it leaves behind is found; it never shows a traceback; it is
killed when the test is over.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import until

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "couchvoice")
PATIENCE = 25.0  # seconds for any one line, and for the end
LEAST_NOISE = 1.0  # seconds
NOISE_BY_LOAD = 0.3  # seconds, for each process that wants a core

_SESSION_FIELD = 3  # of /proc/PID/stat, counted from after the name


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to. ``seconds``: from the last signal, or from the call of ``ended``, to its end."""

    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    @property
    def summary(self) -> dict[str, Any]:
        assert self.lines[-1]["type"] == "summary", self.stdout
        return self.lines[-1]

    @property
    def error(self) -> str:
        """The sentence of the one line on stderr that is an error."""
        errors = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self.stderr
        return errors[0].removeprefix("error: ")


class Command:
    """One that runs."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: int) -> None:
        self.process = process
        self._stderr = stderr
        self._read: list[bytes] = []
        self._since: float | None = None

    async def line(self) -> str:
        """The next line of stdout. Empty at its end."""
        assert self.process.stdout is not None  # a pipe, as started
        async with asyncio.timeout(PATIENCE):
            self._read.append(await self.process.stdout.readline())
        return self._read[-1].decode()

    async def line_with(self, **wanted: object) -> dict[str, Any]:
        """The next JSON line that has these values."""
        while line := await self.line():
            found: dict[str, Any] = json.loads(line)
            if wanted.items() <= found.items():
                return found
        raise AssertionError(f"no {wanted} in {b''.join(self._read).decode()} {self.stderr()}")

    def type(self, line: str | bytes) -> None:
        assert self.process.stdin is not None  # a pipe, as started
        self.process.stdin.write((line.encode() if isinstance(line, str) else line) + b"\n")

    def stop_reading(self) -> None:
        """Like the end of ``| head``."""
        assert self.process.stdout is not None  # a pipe, as started
        self.process.stdout._transport.close()  # type: ignore[attr-defined]  # asyncio has no public way

    def send(self, number: signal.Signals) -> None:
        self._since = asyncio.get_running_loop().time()
        self.process.send_signal(number)

    def stderr(self) -> str:
        size = os.fstat(self._stderr).st_size
        return os.pread(self._stderr, size, 0).decode()

    async def ended(self) -> Ended:
        """Wait for its end; nothing of it may be left."""
        assert self.process.stdout is not None  # a pipe, as started
        since = self._since or asyncio.get_running_loop().time()
        async with asyncio.timeout(PATIENCE):
            self._read.append(await self.process.stdout.read())
            status = await self.process.wait()
        seconds = asyncio.get_running_loop().time() - since
        ended = Ended(status, b"".join(self._read).decode(), self.stderr(), seconds)
        assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
        # Its children learn of its end by the end of their stdin.
        await until(lambda: not survivors(self.process.pid))
        return ended


@asynccontextmanager
async def started(
    *arguments: str,
    before: tuple[str, ...] = PROGRAM,
    environment: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
) -> AsyncIterator[Command]:
    """Start it; ``before`` is what stands before its arguments."""
    with tempfile.TemporaryFile() as stderr:
        process = await asyncio.create_subprocess_exec(
            *before,
            *arguments,
            cwd=cwd,
            env=os.environ | dict(environment or {}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            yield Command(process, stderr.fileno())
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def run(
    *arguments: str, before: tuple[str, ...] = PROGRAM, environment: Mapping[str, str] | None = None
) -> Ended:
    """To its end, with nothing to read on its stdin."""
    async with started(*arguments, before=before, environment=environment) as command:
        assert command.process.stdin is not None  # a pipe, as started
        command.process.stdin.close()
        return await command.ended()


async def ready(server: Command) -> str:
    """The URL that a server tells in its one line."""
    word, url = (await server.line()).split()
    assert word == "ready"
    return url


def noise() -> float:
    """Seconds that a busy machine may add to what a test times."""
    return max(LEAST_NOISE, NOISE_BY_LOAD * os.getloadavg()[0])


def survivors(session: int) -> list[str]:
    """The processes that are left of a session, by name."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            name, _, fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")
            if int(fields.split()[_SESSION_FIELD]) == session:
                found.append(name)
    return found
