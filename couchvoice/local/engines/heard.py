"""What a recognizer made of an utterance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """``text`` is None when nothing was recognized; ``nearest`` then says what it was most like.

    ``share`` is the share of the nearest text's sound that arrived, 0 to 1.
    """

    text: str | None
    share: float
    nearest: str | None


NOTHING = Heard(text=None, share=0.0, nearest=None)
