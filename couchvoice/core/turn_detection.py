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
    judges_meaning: bool = False  # the end of speech is told by how it sounds, not by silence alone


def read_turn_detection(session: Mapping[str, Any]) -> TurnDetection | None:
    """None: the config does not speak of it."""
    # Beta servers and xAI have it at the top level of the session.
    for place in (_input(session), session):
        if "turn_detection" in place:
            return _read(place["turn_detection"])
    return None


def reduces_noise(session: Mapping[str, Any]) -> bool:
    """The config asks the provider to take noise out of what it hears, before it looks for speech."""
    return bool(_input(session).get("noise_reduction"))


def _input(session: Mapping[str, Any]) -> Mapping[str, Any]:
    audio = session.get("audio")
    settings = audio.get("input") if isinstance(audio, Mapping) else None
    return settings if isinstance(settings, Mapping) else {}


def _read(detection: object) -> TurnDetection:
    if not isinstance(detection, Mapping):
        # null: nobody but the client commits, answers or interrupts.
        return TurnDetection(detects=False, interrupts=False, answers=False)
    return TurnDetection(
        interrupts=detection.get("interrupt_response") is not False,
        answers=detection.get("create_response") is not False,
        judges_meaning=detection.get("type") == "semantic_vad",
    )
