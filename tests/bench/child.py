"""Child: a program of a benchmark in a process of its own, which tells its facts as lines of JSON on stdout.

Law: it gets nothing of the environment that names a provider, it is told to end by the end of its stdin or by
SIGTERM, and it is killed when that does not help.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FIRST_TALK = ROOT / "fixtures" / "first-talk.wav"
FACT_TIMEOUT = 20.0  # seconds
END_TIMEOUT = 5.0  # seconds
LINE_LIMIT = 2**20  # bytes

_FOREIGN = ("COUCHVOICE_", "OPENAI_", "AZURE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class Child:
    """``born`` is a time of perf_counter."""

    def __init__(self, process: asyncio.subprocess.Process, born: float) -> None:
        self.born = born
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def fact(self, **wanted: object) -> dict[str, Any]:
        """The next line that has these fields. Raises TimeoutError, or EOFError when the program has ended."""
        async with asyncio.timeout(FACT_TIMEOUT):
            while line := await self._stdout.readline():
                fact: dict[str, Any] = json.loads(line)
                if wanted.items() <= fact.items():
                    return fact
        raise EOFError(f"it ended without {wanted or 'a word'}")

    async def line(self) -> str:
        """The next line, of a program that tells no JSON. Raises TimeoutError."""
        async with asyncio.timeout(FACT_TIMEOUT):
            return (await self._stdout.readline()).decode().strip()

    async def ended(self) -> None:
        """Return when it has ended by itself, and well. Raises TimeoutError."""
        async with asyncio.timeout(FACT_TIMEOUT):
            await self._process.communicate()
        assert self._process.returncode == 0, f"it ended with status {self._process.returncode}"

    def terminate(self) -> None:
        """For a program that does not heed the end of its stdin."""
        self._process.terminate()

    async def stop(self) -> None:
        assert self._process.stdin is not None  # it was started with a pipe
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_TIMEOUT):
                # Read on: a program that writes into a full pipe never ends.
                await self._stdout.read()
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None  # it was started with a pipe
        return self._process.stdout


@asynccontextmanager
async def python(*arguments: str, state: Path | None = None) -> AsyncIterator[Child]:
    """Run Python with these arguments for as long as the block lasts. ``state``: COUCHVOICE_STATE_DIR."""
    pipe = asyncio.subprocess.PIPE
    born = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=pipe, stdout=pipe, limit=LINE_LIMIT, cwd=ROOT, env=_environment(state)
    )
    child = Child(process, born)
    try:
        yield child
    finally:
        await child.stop()


@asynccontextmanager
async def far_end() -> AsyncIterator[str]:
    """The URL of a backend and a provider in one process."""
    async with python("-m", "tests.bench.far_end") as child:
        yield (await child.fact())["url"]


def _environment(state: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    # Wide: the width of a terminal must not decide how long --help takes to lay out.
    ours = {"PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_PROXY": "127.0.0.1"}
    return kept | ours | ({"COUCHVOICE_STATE_DIR": str(state)} if state else {})
