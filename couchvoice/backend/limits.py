"""How much one may ask for within a minute: sessions, which cost money, tool calls, and their late results.

Not where it is written down (rate_book.py, sql_rate_book.py). Law: nobody gets more than their number within any
60 seconds; what is refused is not counted, and its answer says when to come back (Retry-After).
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable
from http import HTTPStatus

from couchvoice.backend.guard import UNKNOWN_ADDRESS, Caller
from couchvoice.backend.rate_book import Allowance, MemoryRateBook, RateBook
from couchvoice.backend.refusals import Refused
from couchvoice.backend.session_id import owner_hash

SESSIONS = 10  # a minute, for each user
TOOL_CALLS = 60  # a minute, for each user
USERS_AT_AN_ADDRESS = 10  # whose whole numbers one address may use: a household, an office behind one router


class Limits:
    """``sessions`` and ``tool_calls`` for each user and minute; None: as many as they like.

    The results of tools in the background may be asked for as often as tools may be called, besides.
    """

    def __init__(
        self,
        book: RateBook | None = None,
        *,
        sessions: int | None = None,
        tool_calls: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book or MemoryRateBook()
        self._sessions = sessions
        self._tool_calls = tool_calls
        self._clock = clock

    async def spend_session(self, caller: Caller, owner: str) -> None:
        """Raises Refused (429)."""
        await self._spend("sessions", self._sessions, caller, owner)

    async def spend_tool_call(self, caller: Caller, owner: str) -> None:
        """Raises Refused (429)."""
        await self._spend("tool calls", self._tool_calls, caller, owner)

    async def spend_tool_result(self, caller: Caller, owner: str) -> None:
        """Raises Refused (429)."""
        await self._spend("tool results", self._tool_calls, caller, owner)

    async def close(self) -> None:
        await self._book.close()

    async def _spend(self, what: str, number: int | None, caller: Caller, owner: str) -> None:
        if number is None:
            return
        # Hashed: the book may be a database, and it needs no names.
        allowances = [Allowance(f"{what} of {owner_hash(owner)}", number)]
        if _is_somewhere_else(caller.address):
            allowances.append(Allowance(f"{what} from {owner_hash(caller.address)}", number * USERS_AT_AN_ADDRESS))
        wait = await self._book.spend(allowances, now=self._clock())
        if wait > 0:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "rate_limited",
                f"too many {what} within a minute: {number} are allowed for each user",
                retry_after=math.ceil(wait),
            )


def _is_somewhere_else(address: str) -> bool:
    """On this machine there is one user, or a proxy that did not say for whom it calls."""
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address != UNKNOWN_ADDRESS
