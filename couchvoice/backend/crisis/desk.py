"""The desk that crisis lines come from: looked up in a turn, and known until the turn is over.

A turn is known by what the user said in it: the item of their newest words, and the words, which may have grown since.
Law: nothing is handed on to the next turn. Where it cannot be told whether it is the same turn still, it counts as
the next one, and the lines are looked up again.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from couchvoice.backend.crisis.places import Lookup, look_up
from couchvoice.backend.crisis.resources import HTTPS, Resource, is_line, shipped_countries
from couchvoice.backend.lookup.passage import MAX_TITLE
from couchvoice.backend.lookup.source import LookupFailed, Source

MAX_TALKS = 4096  # whose lookups are remembered; then the oldest is forgotten
MAX_SERVED = 4096  # numbers that a source gave

NOT_ATTEMPTED = Lookup("not_attempted")

_log = logging.getLogger("couchvoice.backend.crisis")


class Asker(Protocol):
    """Who asks, and what they said, newest first; the first is the message of this turn."""

    @property
    def thread_id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def said(self) -> Sequence[str]: ...
    @property
    def said_item(self) -> str | None: ...


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    lookup: Lookup
    item: str | None
    message: str

    def is_of(self, asker: Asker) -> bool:
        message = _message(asker.said)
        return bool(self.message) and asker.said_item == self.item and message.startswith(self.message)


class CrisisDesk:
    """``live``: asked for places of which the dataset has no line.

    What was looked up is in the memory of this process: at another one the turn begins without a lookup.
    """

    def __init__(self, *, live: Source[Resource] | None = None) -> None:
        self._live = live
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._served: OrderedDict[str, None] = OrderedDict()  # the digits of numbers that the source gave

    async def look_up(self, asker: Asker) -> Lookup:
        """Never raises for a dataset or a source that cannot be read: that is a status of its own."""
        lookup = await self._find(asker.said)
        place = (asker.thread_id, asker.owner)
        self._kept[place] = _Kept(lookup, asker.said_item, _message(asker.said))
        self._kept.move_to_end(place)
        if len(self._kept) > MAX_TALKS:
            self._kept.popitem(last=False)
        return lookup

    def of_this_turn(self, asker: Asker) -> Lookup:
        """What was looked up since the user spoke last."""
        kept = self._kept.get((asker.thread_id, asker.owner))
        return kept.lookup if kept is not None and kept.is_of(asker) else NOT_ATTEMPTED

    def turn_over(self, thread_id: str, *, owner: str, user_text: str) -> None:
        """The turn in which this was said has ended. A lookup of the next one, which may have begun, stays."""
        kept = self._kept.get((thread_id, owner))
        if kept is not None and _message([user_text]).startswith(kept.message):
            del self._kept[thread_id, owner]

    def talk_over(self, thread_id: str, *, owner: str) -> None:
        self._kept.pop((thread_id, owner), None)

    def has_given(self, phone: str) -> bool:
        """Whether the number is one of the dataset's, or the source's: nothing else is a line."""
        number = digits(phone)
        return number in self._served or number in _numbers_of_the_dataset()

    async def close(self) -> None:
        if self._live is not None:
            await self._live.close()

    async def _find(self, said: Sequence[str]) -> Lookup:
        try:
            lookup = look_up(said, shipped_countries())
        except (OSError, ValueError) as exc:
            _log.error("x crisis resources: %s", type(exc).__name__)
            return Lookup("lookup_error")
        if lookup.status != "no_verified_results" or self._live is None or lookup.location is None:
            return lookup
        try:
            # The place alone: what else was said is nobody's business.
            found = await self._live.find(lookup.location)
        except LookupFailed:
            return Lookup("lookup_error", lookup.location)
        lines = tuple(line for line in found if is_line(line.name, line.phone, line.url) and _fits(line))
        self._remember(lines)
        return Lookup("found", lookup.location, lines) if lines else lookup

    def _remember(self, lines: Sequence[Resource]) -> None:
        for line in lines:
            self._served[digits(line.phone)] = None
            self._served.move_to_end(digits(line.phone))
        while len(self._served) > MAX_SERVED:
            self._served.popitem(last=False)


def digits(phone: str) -> str:
    return "".join(letter for letter in phone if letter.isdecimal())


def _numbers_of_the_dataset() -> frozenset[str]:
    try:
        return frozenset(digits(line.phone) for country in shipped_countries() for line in country.resources)
    except (OSError, ValueError):
        return frozenset()


def _fits(line: Resource) -> bool:
    return len(line.name) <= MAX_TITLE and len(line.url) <= len(HTTPS) + MAX_TITLE and bool(line.region.strip())


def _message(said: Sequence[str]) -> str:
    return " ".join(said[0].split()) if said else ""
