"""What the dialogue asks its peer to do: the effects of the local server.

Law: the peer performs them in order and feeds back what comes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from couchvoice.local.replies import ToolResult


@dataclass(frozen=True, slots=True)
class Emit:
    """Send a server event."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Recognize a stretch of the input; feed ``Dialogue.transcribed``."""

    item_id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Think:
    """Find the reply to what was heard, or to tool outputs; feed ``Dialogue.replied`` or ``failed``."""

    response_id: str
    heard: str
    results: tuple[ToolResult, ...]
    tools: frozenset[str]


@dataclass(frozen=True, slots=True)
class Speak:
    """Synthesize and queue one sentence; feed ``Dialogue.sentence_queued`` or ``failed``."""

    response_id: str
    text: str
    voice: str
    speed: float


@dataclass(frozen=True, slots=True)
class Hush:
    """Throw away what is queued to be played of a response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class Detect:
    """Listen for turns with these numbers."""

    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int


@dataclass(frozen=True, slots=True)
class DetectNothing:
    """The client decides itself when a turn is over."""


@dataclass(frozen=True, slots=True)
class ClearInput:
    """Throw away the uncommitted input."""


Order = Emit | Transcribe | Think | Speak | Hush | Detect | DetectNothing | ClearInput
