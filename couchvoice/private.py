"""What must not be printed: secrets, transcripts, tool arguments, SDP.

Law: ``repr`` and ``str`` show the length only, so that a log line, a traceback or a crash report
cannot leak the value. Whoever needs it says ``reveal()``, which is easy to find in review.
"""

from __future__ import annotations


class Private:
    """A text that is shown as its length."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"…({len(self._text)} chars)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Private) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
