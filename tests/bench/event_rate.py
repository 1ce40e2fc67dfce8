"""How many client events a session answers in a second, beside an echo of the same texts.

Events are sent a burst at a time, each burst in a session of its own, and the time is taken until all are answered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx
import websockets

from tests.bench.caller import Caller
from tests.bench.first_sound import KEY
from tests.bench.rounds import Figures

BURST = 200  # events
ANSWER_TIMEOUT = 20.0  # seconds for a burst
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "I cannot sleep at night."}]}
CREATED = "item_bench"


@dataclass(frozen=True, slots=True)
class _Kind:
    event: dict[str, object]
    answer: str  # the type of the one that comes last


KINDS = {
    "create": _Kind({"type": "conversation.item.create", "item": ITEM}, "conversation.item.done"),
    "retrieve": _Kind({"type": "conversation.item.retrieve", "item_id": CREATED}, "conversation.item.retrieved"),
    "update": _Kind(
        {"type": "session.update", "session": {"type": "realtime", "instructions": "Be calm."}}, "session.updated"
    ),
}

_Send = Callable[[str], Awaitable[None]]
_Receive = Callable[[], Awaitable[str | bytes]]


async def over_websocket(url: str, *, echoes: bool) -> Figures:
    """Events per second, by kind."""
    async with websockets.connect(url, additional_headers=KEY, max_size=None, compression=None) as socket:
        return await _rates(socket.send, socket.recv, echoes=echoes)


async def over_webrtc(url: str, packets: Sequence[bytes], *, echoes: bool) -> Figures:
    """Events per second, by kind."""
    caller = Caller(list(packets))

    async def send(text: str) -> None:
        caller.send(text)

    async with httpx.AsyncClient() as http:
        await caller.connect(http, url)
    try:
        return await _rates(send, caller.messages.get, echoes=echoes)
    finally:
        await caller.close()


async def _rates(send: _Send, receive: _Receive, *, echoes: bool) -> Figures:
    create = KINDS["create"]
    first = create.event | {"item": ITEM | {"id": CREATED}}
    await _exchange([first], first["type"] if echoes else create.answer, send, receive)
    rates = {}
    for name, kind in KINDS.items():
        answer = kind.event["type"] if echoes else kind.answer
        rates[name] = BURST / await _exchange([kind.event] * BURST, answer, send, receive)
    return rates


async def _exchange(events: Sequence[dict[str, object]], answer: object, send: _Send, receive: _Receive) -> float:
    """Seconds until so many answers have come."""
    texts, wanted = [json.dumps(event) for event in events], f'"{answer}"'

    async def count() -> None:
        missing = len(texts)
        while missing:
            missing -= wanted in str(await receive())

    started = time.perf_counter()
    async with asyncio.timeout(ANSWER_TIMEOUT), asyncio.TaskGroup() as tasks:
        tasks.create_task(count(), name="count")
        for text in texts:
            await send(text)
    return time.perf_counter() - started
