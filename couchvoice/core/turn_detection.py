"""Turn detection, as far as the client has to know it: what the server does by itself when somebody speaks.

Not the detector. Field names are OpenAI's (session config, ``audio.input.turn_detection``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TurnDetection:
    detects: bool = True  # the server hears where speech begins and ends; else the client says so (push-to-talk)
    interrupts: bool = True  # speech cancels the response and what is left of its sound
    answers: bool = True  # the end of speech begins a response


def read_turn_detection(session: Mapping[str, Any]) -> TurnDetection | None:
    """None: the config does not speak of it."""
    audio = session.get("audio")
    settings = audio.get("input") if isinstance(audio, Mapping) else None
    # Beta servers and xAI have it at the top level of the session.
    for place in (settings, session):
        if isinstance(place, Mapping) and "turn_detection" in place:
            return _read(place["turn_detection"])
    return None


def _read(detection: object) -> TurnDetection:
    if not isinstance(detection, Mapping):
        # null: nobody but the client commits, answers or interrupts.
        return TurnDetection(detects=False, interrupts=False, answers=False)
    return TurnDetection(
        interrupts=detection.get("interrupt_response") is not False,
        answers=detection.get("create_response") is not False,
    )
