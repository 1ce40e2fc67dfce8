"""What the dialogue asks its performer to do: the effects of the local server.

Law: the performer performs them in order and feeds back what comes of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.protocol.reply import Question


@dataclass(frozen=True, slots=True)
class Emit:
    """Send a server event."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hear:
    """The client has appended sound to the input: tell what speech is in it before the next client event."""

    frame: AudioFrame


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Recognize a stretch of the input, in this language if it is known; feed ``Dialogue.transcribed``."""

    item_id: str
    start_ms: int
    end_ms: int
    language: str | None


@dataclass(frozen=True, slots=True)
class Recognize:
    """Recognize sound that came in an item, in this language if it is known; feed ``Dialogue.transcribed``."""

    item_id: str
    frames: Sequence[AudioFrame]
    language: str | None


@dataclass(frozen=True, slots=True)
class Think:
    """Find the reply; feed ``Dialogue.reply_part`` and then ``reply_ended``, or ``failed``."""

    response_id: str
    question: Question


@dataclass(frozen=True, slots=True)
class Speak:
    """Synthesize one sentence, to be played or to be sent in ``format``.

    Feed ``Dialogue.sentence_queued`` or ``sentence_sent``, or ``failed``.
    """

    response_id: str
    text: str
    voice: str
    speed: float
    language: str | None
    format: str


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


Order = Emit | Hear | Transcribe | Recognize | Think | Speak | Hush | Detect | DetectNothing | ClearInput
