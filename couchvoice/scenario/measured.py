"""What a conversation came to, as values that tests compare: words, the names of tools, milliseconds.

They are a text, a list and a number, and compare like those. Law: only how a failed comparison is told differs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import zip_longest

_NOTHING = "-"


class Words(str):
    """What ``who`` said."""

    __slots__ = ("who",)

    def __new__(cls, text: str, who: str) -> Words:
        words = super().__new__(cls, text)
        words.who = who
        return words

    who: str


class ToolNames(list[str]):
    """Of the tools that were called, in order."""


class Milliseconds(float):
    """How long ``what`` took."""

    __slots__ = ("what",)

    def __new__(cls, ms: float, what: str) -> Milliseconds:
        figure = super().__new__(cls, ms)
        figure.what = what
        return figure

    what: str


def explained(operator: str, left: object, right: object) -> list[str] | None:
    """A failed comparison in lines; None if it is not of these values."""
    match left, operator, right:
        case Words(), "==", str():
            return _other_words(left, right)
        case str(), "==", Words():
            return _other_words(right, left)
        case str(), "in", Words():
            return [f"{right.who} did not say {str(left)!r}", f"    said: {str(right)!r}"]
        case str(), "not in", Words():
            return [f"{right.who} said {str(left)!r}", f"    said: {str(right)!r}"]
        case ToolNames(), "==", list():
            return _other_tools(left, right)
        case list(), "==", ToolNames():
            return _other_tools(right, left)
        case Milliseconds(), "<" | "<=", int() | float():
            return [f"{left.what} took {left:.0f} ms: {left - right:.0f} ms more than {right:g} ms"]
        case Milliseconds(), ">" | ">=", int() | float():
            return [f"{left.what} took {left:.0f} ms: {right - left:.0f} ms less than {right:g} ms"]
        case _:
            return None


def _other_words(said: Words, expected: str) -> list[str]:
    return [
        f"{said.who} said something else",
        f"    expected: {str(expected)!r}",
        f"    said:     {str(said)!r}",
        f"    [-missing-] {{+added+}}: {_by_words(expected.split(), said.split())}",
    ]


def _by_words(expected: Sequence[str], said: Sequence[str]) -> str:
    parts: list[str] = []
    for tag, start, end, from_, to in difflib.SequenceMatcher(a=expected, b=said, autojunk=False).get_opcodes():
        if tag == "equal":
            parts += said[from_:to]
            continue
        parts += [f"[-{' '.join(expected[start:end])}-]"] if end > start else []
        parts += [f"{{+{' '.join(said[from_:to])}+}}"] if to > from_ else []
    return " ".join(parts)


def _other_tools(called: Iterable[object], expected: Iterable[object]) -> list[str]:
    rows = list(zip_longest(map(str, expected), map(str, called), fillvalue=_NOTHING))
    width = max(len(wanted) for wanted, _ in (("expected", ""), *rows))
    return [
        "other tools were called",
        f"       {'expected':<{width}}  called",
        *(f"    {'  ' if wanted == got else '! '} {wanted:<{width}}  {got}" for wanted, got in rows),
    ]
