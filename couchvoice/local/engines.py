"""What all sessions of the local server share: ears, wits and a voice. They keep nothing of a session."""

from __future__ import annotations

from dataclasses import dataclass

from couchvoice.local.hearing import Recognizer
from couchvoice.local.replies import Rules
from couchvoice.local.voice import Voice


@dataclass(frozen=True, slots=True)
class Engines:
    recognizer: Recognizer
    rules: Rules
    voice: Voice
