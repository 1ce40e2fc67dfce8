"""Network: what may lie between the two peers of a call, seen from where they are introduced to each other.

Law: who stands between two peers has changed both descriptions, so that they call it and not one another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

Post = Callable[[str], Awaitable[str]]  # an offer to the far end; its answer


class Network(Protocol):
    async def introduce(self, offer: str, post: Post) -> str:
        """Post the offer as the far end shall see it, and return the answer as this end shall see it.

        Raises what ``post`` raises, and NegotiationFailed.
        """
