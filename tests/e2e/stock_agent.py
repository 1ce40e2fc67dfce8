"""OpenAI's Agents SDK for JavaScript as a process: it takes orders and tells what it was shown.

Law: it never outlives the test, and it never fails in silence: its standard error is empty.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.apps.command import Command, started
from tests.e2e.local_server import KEY, LocalServer
from tests.e2e.node import node_for
from tests.local.wire import Event
from tests.patience import until

Line = dict[str, Any]

PROGRAM = Path(__file__).parent / "js_agents" / "talk.mjs"
RATE = 24_000  # Hz, of the WAVs that it speaks
WAIT = 10.0  # seconds, for an utterance and its answer
STORY_WIDTH = 160  # characters of each line, when a test fails


class StockAgent:
    def __init__(self, command: Command) -> None:
        self.lines: list[Line] = []
        self.reading = asyncio.create_task(self._read(), name="stock-agent-reads")
        self._command = command

    @property
    def events(self) -> list[Event]:
        """What the server sent, in order."""
        return [line["event"] for line in self.saw("event")]

    @property
    def history(self) -> list[Line]:
        """The conversation as the SDK shows it now."""
        items: list[Line] = self.saw("history")[-1]["items"]
        return items

    @property
    def loud_ms(self) -> int:
        """How much sound there was up to the last silence."""
        return sum(line.get("loud_ms", 0) for line in self.saw("sound"))

    @property
    def is_quiet(self) -> bool:
        """It has sounded, and now does not."""
        return [line["sounds"] for line in self.saw("sound")][-1:] == [False]

    def saw(self, what: str) -> list[Line]:
        return [line for line in self.lines if line["what"] == what]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def order(self, do: str, **facts: str) -> None:
        self._command.type(json.dumps({"do": do, **facts}))

    async def until(self, seen: Callable[[], object]) -> None:
        """Raises AssertionError, with all that was seen, when it takes too long or the program has ended."""
        with suppress(TimeoutError):
            await until(lambda: seen() or self.reading.done(), within=WAIT)
        story = "\n".join(json.dumps(line)[:STORY_WIDTH] for line in self.lines)
        assert seen(), f"{story}\n{self._command.stderr()}"

    async def close(self) -> None:
        """Of its own accord, and in order."""
        self.order("close")
        await self.reading
        ended = await self._command.ended()
        assert (ended.status, ended.stderr) == (0, "")
        assert self.lines[-1] == {"what": "closed"}

    async def _read(self) -> None:
        while line := await self._command.line():
            self.lines.append(json.loads(line))


@asynccontextmanager
async def stock_agent(server: LocalServer, transport: str) -> AsyncIterator[StockAgent]:
    """Connected."""
    arguments = ("--transport", transport, "--url", server.url, "--key", KEY)
    async with started(*arguments, before=(node_for(PROGRAM.parent), str(PROGRAM))) as command:
        agent = StockAgent(command)
        try:
            await agent.until(lambda: agent.saw("connected"))
            yield agent
        finally:
            agent.reading.cancel()
            await asyncio.gather(agent.reading, return_exceptions=True)
