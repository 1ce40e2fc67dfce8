"""What all sessions of the local server share: ears, wits and a voice. They keep nothing of a session.

Law: an engine may be slow and may fail (EngineFailed); who asks it bounds the wait and lives with the failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines.heard import Heard
from couchvoice.local.protocol.reply import Replier


class Recognizer(Protocol):
    """Turns an utterance into text."""

    async def hear(self, sound: AudioFrame, *, language: str | None = None) -> Heard:
        """``language`` is what the session names (ISO 639-1), None: find out. May raise EngineFailed."""


class Voice(Protocol):
    """Turns text into sound."""

    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        """48 kHz. An empty text gives an empty frame, an unknown voice a default one. May raise EngineFailed."""


@dataclass(frozen=True, slots=True)
class Engines:
    recognizer: Recognizer
    replier: Replier
    voice: Voice
