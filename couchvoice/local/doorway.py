"""The doorway of a session: between the dialogue's GA events and the client, who may speak beta, over a faulty way.

Law: events go out in the order in which they fall due; without faults at once, in the order in which they come.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable

import msgspec

from couchvoice.local.faults.event_faults import Event, EventFaults
from couchvoice.local.faults.faults import NONE
from couchvoice.local.manners import Manners
from couchvoice.local.protocol.bad_event import BadEvent, read_object
from couchvoice.local.protocol.beta import from_beta, to_beta


class Doorway:
    """``send`` takes an event, or a text that is none."""

    def __init__(self, manners: Manners, send: Callable[[Event | str], None]) -> None:
        self._beta = manners.beta
        self._faults = None
        if manners.faults != NONE:
            self._faults = EventFaults(manners.faults, key=str(manners.number))
        self._send = send
        self._waiting: list[tuple[int, int, Event | str]] = []  # a heap: when due in ms, which came first, what
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def out(self, event: Event) -> None:
        if self._faults is None:
            self._speak(event)
            return
        for due, sent in self._faults.pass_on(event, _now_ms()):
            heapq.heappush(self._waiting, (due, next(self._numbers), sent))
        self._send_due()

    def inward(self, message: str | bytes) -> str | bytes:
        """A client's message as GA has it."""
        if not self._beta:
            return message
        try:
            return msgspec.json.encode(from_beta(read_object(message)))
        except BadEvent:
            return message  # the dialogue says what is wrong with it

    def close(self) -> None:
        """What is still on its way is lost. May be called twice."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _send_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and self._waiting[0][0] <= _now_ms():
            self._speak(heapq.heappop(self._waiting)[2])
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0] / 1000, self._send_due)

    def _speak(self, event: Event | str) -> None:
        for said in to_beta(event) if self._beta and isinstance(event, dict) else [event]:
            self._send(said)


def _now_ms() -> int:
    # Rounded up: a timer that rings on time must find its event due.
    return math.ceil(asyncio.get_running_loop().time() * 1000)
