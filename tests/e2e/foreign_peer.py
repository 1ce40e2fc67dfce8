"""A WebRTC stack that is not ours, as a process: one end of a call that takes orders and tells what it saw.

Sound goes in and out as Opus packets, which are made and heard here.
Law: it never outlives the test, and it never fails in silence: its standard error is empty.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.apps.command import Command, started
from tests.e2e.node import node_for
from tests.e2e.opus_packets import Ear, encoded
from tests.local.wire import Event
from tests.patience import until

Line = dict[str, Any]

STACKS = ("werift", "libdatachannel")
LABEL = "oai-events"

PROGRAM = Path(__file__).parent / "stacks" / "peer.mjs"
WAIT = 15.0  # seconds, for an utterance and its answer on a busy machine
STORY_WIDTH = 160  # characters of each line, when a test fails


class ForeignPeer:
    def __init__(self, command: Command) -> None:
        self.lines: list[Line] = []
        self.ear = Ear()
        self.reading = asyncio.create_task(self._read(), name="foreign-peer-reads")
        self._command = command

    @property
    def events(self) -> list[Event]:
        """What the other end sent, in order."""
        return [line["event"] for line in self.saw("event")]

    @property
    def is_over(self) -> bool:
        """The other end is gone. Each stack notices it in its own way."""
        states = {line["state"] for line in (*self.saw("channel"), *self.saw("state"))}
        return not states.isdisjoint({"closed", "disconnected", "failed"})

    def saw(self, what: str, **facts: object) -> list[Line]:
        return [line for line in self.lines if line["what"] == what and facts.items() <= line.items()]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    async def offer(self, *, direction: str, channel_id: int | None) -> str:
        """``channel_id``: of a channel that both ends open by themselves."""
        options = {} if channel_id is None else {"negotiated": True, "id": channel_id}
        return await self._describe("offer", direction=direction, label=LABEL, options=options)

    async def answer(self, offer: str) -> str:
        return await self._describe("answer", sdp=offer)

    def accept(self, answer: str) -> None:
        self._order("accept", sdp=answer)

    def say(self, samples: NDArray[np.int16]) -> None:
        """48 kHz. Its RTP ends with it."""
        self._order("say", packets=[base64.b64encode(packet).decode() for packet in encoded(samples)])

    def send(self, event: Event, *, binary: bool = False) -> None:
        self._order("send", event=event, binary=binary)

    async def until(self, seen: Callable[[], object]) -> None:
        """Raises AssertionError, with all that was seen, when it takes too long or the program has ended."""
        with suppress(TimeoutError):
            await until(lambda: seen() or self.reading.done(), within=WAIT)
        story = "\n".join(json.dumps(line)[:STORY_WIDTH] for line in self.lines if line["what"] != "packet")
        assert seen(), f"{story}\n{len(self.saw('packet'))} packets\n{self._command.stderr()}"

    async def close(self) -> None:
        """Of its own accord, and in order."""
        self._order("close")
        await self.reading
        ended = await self._command.ended()
        assert (ended.status, ended.stderr) == (0, "")
        assert self.saw("closed")

    async def _describe(self, do: str, **facts: object) -> str:
        self._order(do, **facts)
        await self.until(lambda: self.saw(do))
        return str(self.saw(do)[0]["sdp"])

    def _order(self, do: str, **facts: object) -> None:
        self._command.type(json.dumps({"do": do, **facts}))

    async def _read(self) -> None:
        while text := await self._command.line():
            line = json.loads(text)
            if line["what"] == "packet":
                self.ear.hear(base64.b64decode(line["payload"]))
            self.lines.append(line)


@asynccontextmanager
async def foreign_peer(stack: str) -> AsyncIterator[ForeignPeer]:
    """It ends in order when the test went well."""
    async with started(stack, before=(node_for(PROGRAM.parent), str(PROGRAM))) as command:
        peer = ForeignPeer(command)
        try:
            yield peer
            await peer.close()
        finally:
            peer.reading.cancel()
            await asyncio.gather(peer.reading, return_exceptions=True)
