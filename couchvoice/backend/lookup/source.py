"""A source of what can be looked up: passages for an answer, lines for somebody in danger.

Law: a source that cannot answer says so by LookupFailed; an empty answer means that it knows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol, TypeVar

from couchvoice.backend.refusals import Refused

Row = TypeVar("Row", covariant=True)


class Source(Protocol[Row]):
    @property
    def name(self) -> str: ...

    async def find(self, query: str) -> Sequence[Row]:
        """What fits, the best first. Raises LookupFailed."""

    async def close(self) -> None: ...


class LookupFailed(Refused):
    """``source``: the name of the one that did not answer; what it said is not repeated."""

    def __init__(self, source: str) -> None:
        super().__init__(HTTPStatus.BAD_GATEWAY, "lookup_failed", f"the source {source} cannot be asked now")
