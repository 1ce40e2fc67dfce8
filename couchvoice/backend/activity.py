"""What a live session has done so far: how much and when, never what.

Law: it holds no word of the talk and no name.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field

IDLE_TIMEOUT = 20 * 60.0  # seconds of silence after which nobody is expected to come back


class LiveState(enum.Enum):
    OPEN = "open"  # its calls are served
    ENDED = "ended"  # it was finalized, or told so; a late turn is served still
    DISCONNECTED = "disconnected"  # an operator ended it: nothing of it is served any more


@dataclass(slots=True)
class Activity:
    """Times are of the monotonic clock, in seconds."""

    opened_at: float = field(default_factory=time.monotonic)
    seen_at: float = field(default_factory=time.monotonic)
    state: LiveState = LiveState.OPEN
    bytes_in: int = 0
    bytes_out: int = 0
    turns: int = 0
    tool_calls: int = 0

    def is_active(self, now: float) -> bool:
        return self.state is LiveState.OPEN and now - self.seen_at < IDLE_TIMEOUT


@dataclass(slots=True)
class Traffic:
    """The bytes of one request; ``of`` is the session that it turned out to belong to."""

    received: int = 0
    sent: int = 0
    of: Activity | None = None

    def settle(self) -> None:
        """Book it on the session."""
        if self.of is not None:
            self.of.bytes_in += self.received
            self.of.bytes_out += self.sent
