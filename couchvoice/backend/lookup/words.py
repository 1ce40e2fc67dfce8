"""The words of a question that tell what it is about, in a form in which they meet those of a text.

English only. Law: what everybody's questions hold (how, much, current, official) tells nothing.
"""

from __future__ import annotations

import re

MIN_STEM = 3  # characters that are left when an ending goes

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_ENDINGS = ("ations", "ation", "ness", "ings", "ing", "ied", "ies", "ed", "es", "al", "ly", "s", "e", "y")
_EVERYBODYS = """
    a about advice after all am an and any anything are as at be because been before best by can can't cannot common
    could current currently day did do does doing don't ever every fact facts feel feeling feels find for from get
    gets getting give given go good guidance guideline guidelines had has have help helps her him his how i i'm i've
    if in info information into is it it's its just know last lasts latest like long look lookup many may me mean
    might more most much must my need new news now of official officially often on one or other our out people per
    person please rather really recommend recommendation recommended right said say says see should so some somebody
    someone take takes taking tell than that that's the their them then there there's these they thing think this
    those to today up us very was way we were what what's when where which while who why will with would you your
"""
_SAY_NOTHING = frozenset(_EVERYBODYS.split())


def telling_words(text: str) -> list[str]:
    """In order, with repetitions."""
    words = _WORD.findall(text.casefold().replace("\u2019", "'"))
    return [_stem(word.replace("-", "")) for word in words if word not in _SAY_NOTHING]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM:
            return word[: -len(ending)]
    return word
