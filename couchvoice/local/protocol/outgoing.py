"""What a dialogue has to say and to order, collected until its peer takes it.

Law: an event is a fact: what happens to an item later does not reach into the events that showed it.
"""

from __future__ import annotations

import copy
from typing import Any

from couchvoice.local.protocol.orders import Emit, Order


class Outgoing:
    """``key`` makes the ids of two calls differ."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._count = 0
        self._orders: list[Order] = []

    def emit(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": self.new_id("event"), **copy.deepcopy(fields)}
        self._orders.append(Emit(event))

    def order(self, order: Order) -> None:
        self._orders.append(order)

    def new_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._key}_{self._count}"

    def take(self) -> list[Order]:
        orders, self._orders = self._orders, []
        return orders
