"""What comes of a question that wants an answer from a source: what is said, and on what it rests.

    found                 the best passage, with its page
    no_verified_results   no source knows anything: that is said, and nothing is made up

Law: the sources are asked one after the other until one knows something; a source that fails fails the lookup, because
whoever is told of no results would take the question for settled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from couchvoice.backend.lookup.corpus import shipped_corpus
from couchvoice.backend.lookup.passage import Passage
from couchvoice.backend.lookup.source import LookupFailed, Source


@dataclass(frozen=True, slots=True)
class Grounds:
    """``source``: the name of the one that knew; None: none did."""

    status: Literal["found", "no_verified_results"]
    source: str | None = None
    passages: Sequence[Passage] = ()


class GroundedLookup:
    """``sources`` in the order in which they are asked, before the shipped corpus."""

    def __init__(self, sources: Sequence[Source[Passage]] = ()) -> None:
        self._sources = sources

    async def find(self, query: str) -> Grounds:
        """Raises LookupFailed."""
        for source in (*self._sources, _shipped()):
            passages = await source.find(query)
            if passages:
                return Grounds("found", source.name, passages)
        return Grounds("no_verified_results")

    async def close(self) -> None:
        for source in self._sources:
            await source.close()


def _shipped() -> Source[Passage]:
    try:
        return shipped_corpus()
    except (OSError, ValueError) as exc:
        raise LookupFailed("corpus") from exc
