"""The foreign Realtime end as a process: libwebrtc in Node plays a scenario and reports what it saw.

Law: it never outlives the test, its log is whole, and every event that it sent as an event is one that
OpenAI's own types accept (checked when it ends).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.node import node_for
from tests.e2e.scenario import Event, Scenario, validate

Line = dict[str, Any]

PROGRAM = Path(__file__).parent / "wrtc" / "realtime_end.mjs"
START_TIMEOUT = 20.0  # seconds: loading libwebrtc on a busy machine
STOP_TIMEOUT = 5.0  # seconds
LINE_LIMIT = 2**20  # bytes: a log line holds a whole request


class RealtimeEnd:
    """``async with RealtimeEnd(scenario, directory) as end``: ``end.url`` is the base that a client is given."""

    def __init__(self, scenario: Scenario, directory: Path) -> None:
        self.lines: list[Line] = []
        self.url = ""
        self._scenario = scenario.write(directory / "scenario.json")
        self._news = asyncio.Condition()

    async def __aenter__(self) -> RealtimeEnd:
        arguments = (node_for(PROGRAM.parent), str(PROGRAM), "--port", "0", "--scenario", str(self._scenario))
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*arguments, stdin=pipe, stdout=pipe, limit=LINE_LIMIT)
        async with asyncio.timeout(START_TIMEOUT):
            ready = await self._stdout.readline()
        assert ready.startswith(b"ready "), ready
        self.url = f"{ready.split()[1].decode()}/v1"
        self._reading = asyncio.create_task(self._read(), name="foreign-end-log")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        await self.stop()
        if kind is None:
            assert self.lines[-1]["what"] == "end", "the foreign end broke: see its standard error"
            for line in self.saw("sent"):
                validate(line["event"])

    async def stop(self) -> None:
        """End the process and read its log to the end. May be called twice."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._reading
                await self._process.wait()
        finally:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    def saw(self, what: str, **facts: object) -> list[Line]:
        """The log's lines of this kind, with these facts, in order."""
        return [line for line in self.lines if line["what"] == what and facts.items() <= line.items()]

    def received(self, kind: str) -> list[Event]:
        """The client's events of this type."""
        return [line["event"] for line in self.saw("received") if line["event"].get("type") == kind]

    def position(self, what: str, kind: str, nth: int = 1) -> int:
        """Where in the log the nth event of this type was sent or received."""
        places = [
            index for index, line in enumerate(self.lines) if line["what"] == what and line["event"].get("type") == kind
        ]
        return places[nth - 1]

    async def wait_for(self, seen: Callable[[], object], *, within: float) -> None:
        """Until the log shows it. Raises TimeoutError."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(seen)

    @property
    def _stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None  # it was started with a pipe
        return self._process.stdout

    async def _read(self) -> None:
        async for text in self._stdout:
            async with self._news:
                self.lines.append(json.loads(text))
                self._news.notify_all()
