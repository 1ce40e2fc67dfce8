"""The seam between the client and a way to the provider.

A transport moves events and sound and decides nothing. A new way to the provider is one new file and one more
parameter of the tests.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class Transport(Protocol):
    async def connect(self) -> None:
        """Return when events can be sent. Raises TransportError, with everything released, when that fails."""

    def send(self, event: str) -> None:
        """Send one client event (JSON text). Raises MessageTooLarge; ConnectionLost when there is no way to send it."""

    def events(self) -> AsyncIterator[str | bytes]:
        """What the provider sends: text, or bytes that were none. Ends after ``close``, else raises ConnectionLost."""

    async def close(self) -> None:
        """Release everything. May be called twice, from anywhere, at any time."""
