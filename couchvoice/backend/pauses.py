"""How long a person pauses within a thought, and so how long a session waits before it takes them to have finished.

Off unless the settings say otherwise, and for persistent sessions only. Law: what is asked of the provider is between
SHORTEST and LONGEST; what a client measured is believed only where it can be a pause.
"""

from __future__ import annotations

import math
from typing import Protocol

SHORTEST, LONGEST = 200, 800  # ms of silence
LONGEST_PAUSE = 3_000.0  # ms; whoever is silent for longer begins a new thought
PAUSE = "user_pause_ms"  # among the timings of a turn: from the end that the provider heard to the new beginning

_NEW = 0.5  # how much the newest pause counts, against all before
_SHARE = 0.6  # of a pause: not to wait as long as the longest of them


class PauseBook(Protocol):
    async def opened(self, owner: str, *, default: int) -> int:
        """The silence in ms to ask for in a session that is being opened; ``default`` while nothing was learnt."""

    async def heard(self, owner: str, gap: float) -> None:
        """They went on so many ms after the provider had heard the end."""

    async def silence(self, owner: str) -> int | None:
        """What the next session would ask for. None: nothing was learnt."""


def averaged(before: float | None, pause: float) -> float:
    """The moving average with one more pause."""
    return pause if before is None else _NEW * pause + (1 - _NEW) * before


def silence_for(pause: float) -> int:
    return round(min(LONGEST, max(SHORTEST, _SHARE * pause)))


def believable(gap: object) -> float | None:
    """What stands among a turn's timings, as a gap. None: it is none."""
    if isinstance(gap, bool) or not isinstance(gap, int | float) or not math.isfinite(gap):
        return None
    return float(gap) if 0 <= gap <= LONGEST_PAUSE else None
