"""Who spent how much of their allowance, and when: a moving window of one minute.

Own code, since the package for it (limits) starts a task for each hit that nobody awaits, walks through all keys in
it, takes no clock, and has no SQL storage. Law: all allowances of a request are spent, or none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

WINDOW = 60.0  # seconds
MAX_KEYS = 100_000  # whoever was here longest ago is forgotten first


@dataclass(frozen=True, slots=True)
class Allowance:
    """``number`` within WINDOW."""

    key: str
    number: int


class RateBook(Protocol):
    async def spend(self, allowances: Sequence[Allowance], *, now: float) -> float:
        """0 when it was spent, else the seconds until it can be. ``now``: seconds since the epoch."""

    async def close(self) -> None: ...


class MemoryRateBook:
    """For one process."""

    def __init__(self, *, limit: int = MAX_KEYS) -> None:
        self._limit = limit
        self._spent: OrderedDict[str, list[float]] = OrderedDict()

    async def spend(self, allowances: Sequence[Allowance], *, now: float) -> float:
        wait, pages = turn_page(allowances, self._spent, now=now)
        for key, page in pages.items():
            self._spent[key] = page
            self._spent.move_to_end(key)
        while len(self._spent) > self._limit:
            self._spent.popitem(last=False)
        return wait

    async def close(self) -> None:
        """Nothing to close."""


def turn_page(
    allowances: Sequence[Allowance], spent: Mapping[str, Sequence[float]], *, now: float
) -> tuple[float, dict[str, list[float]]]:
    """The seconds to wait, and what stands in the book afterwards. Pure; a clock that was set back loses nothing."""
    pages = {a.key: [min(at, now) for at in spent.get(a.key, ()) if now - at < WINDOW] for a in allowances}
    wait = max(_wait(pages[a.key], a.number, now) for a in allowances)
    if wait == 0:
        for page in pages.values():
            page.append(now)
    return wait, pages


def _wait(page: Sequence[float], number: int, now: float) -> float:
    return page[-number] + WINDOW - now if len(page) >= number else 0
