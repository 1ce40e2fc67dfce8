"""What a person's words say about the step they are at: that they want to stop, that they are stuck, how many items.

Law: pure, and sparing: words that may mean something else say nothing here, and what the model tells stands.
"""

from __future__ import annotations

import re

from couchvoice.backend.exercises.catalogue import normalised
from couchvoice.backend.exercises.run import Outcome

_FILLING = r"(?:please|ok|okay|no|now|it|this|that|here|the exercise|thank you|thanks|i think)"
_EXIT = re.compile(
    rf"^(?:{_FILLING} )*(?:stop|quit|cancel|enough|no more)(?: {_FILLING})*$"
    r"|\b(?:wants?|like|lets|let us|can we|could we|please|have|has) (?:to )?(?:stop|quit|end this|end the exercise)\b"
    r"|\b(?:stop|end|leave|quit) (?:the|this) exercise\b"
    r"|\b(?:dont|do not|doesnt|does not) want to (?:do (?:it|this|that)|go on|continue)\b"
    r"|\benough of this\b|\bno more of (?:this|that)\b"
)
_STUCK = re.compile(
    r"\b(?:cant|cannot|can not) (?:do|manage) (?:it|this|that|the step)\b"
    r"|^(?:no |sorry |i )*(?:cant|cannot|can not)$"
    r"|\b(?:im|i am|is|am) stuck\b"
    r"|\b(?:it|this|that) (?:isnt|is not|doesnt|does not) (?:working|helping|work|help)\b"
    r"|\b(?:dont|do not) know (?:what to say|how to do)\b"
)
_NEGATED = re.compile(r"\b(?:dont|do not|not|never|didnt|did not|wont)(?: \w+)?(?: to)? ?$")
_SEPARATORS = re.compile(r"[,;/\n]|\band\b|\bplus\b|&", re.I)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNTED = re.compile(rf"\b(\d{{1,2}}|{'|'.join(_NUMBERS)})\b", re.I)


def heard_in(words: str) -> set[Outcome]:
    """EXIT and STUCK, as far as they are said."""
    text = normalised(words)
    found = {Outcome.EXIT: _EXIT, Outcome.STUCK: _STUCK}
    return {
        outcome
        for outcome, pattern in found.items()
        if (match := pattern.search(text)) and not _NEGATED.search(text[: match.start()])
    }


def items_in(summary: str) -> int:
    """How many things are named: "lamp, book and chair" are three, and so are "three things"."""
    _, colon, after = summary.partition(":")
    listed = after if colon and after.strip() else summary
    parts = {normalised(part) for part in _SEPARATORS.split(listed)} - {""}
    if len(parts) == 1 and (counted := _COUNTED.search(listed)):
        return _number(counted[1])
    return len(parts)


def _number(word: str) -> int:
    return _NUMBERS.index(word.lower()) if word.lower() in _NUMBERS else int(word)
