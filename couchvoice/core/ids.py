"""The names of what we create: client events, conversation items and calls.

Law: no two of a session are alike, and no two of sessions with different keys.
"""

from __future__ import annotations

import itertools


class Ids:
    """``key`` is unique among sessions."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._numbers = itertools.count(1)

    def event(self) -> str:
        return f"event_{self._key}_{next(self._numbers)}"

    def item(self) -> str:
        return f"item_{self._key}_{next(self._numbers)}"

    def call(self) -> str:
        return f"call_{self._key}_{next(self._numbers)}"
