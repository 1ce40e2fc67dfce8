"""What a person told of themselves, and how they asked to be answered: sentences of theirs, by rules.

Not a judgement whether it is to be kept: that is ``promotion``'s. Law: pure; only the user's own sentences, in their
own words; no question, no supposition, nothing that others said of them, nothing of the moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from couchvoice.backend.arc import sentences
from couchvoice.backend.memory.patterns import shipped_patterns
from couchvoice.backend.memory.records import MAX_TEXT, Kind, Statement

# "My name is Sam, and I live in Cork" tells two things.
_CLAUSES = re.compile(r",? (?:and|but) (?=(?:i|we|my)\b)", re.IGNORECASE)
SELF_BELIEF = "A thought that keeps coming back, not a fact about them: “{said}”"


def statements_in(user_text: str) -> Iterator[Statement]:
    """Of one turn."""
    for sentence in sentences(user_text.replace("\u2019", "'")):
        for clause in _CLAUSES.split(sentence):
            statement = _statement(clause, sentence)
            if statement is not None:
                yield statement


def is_hedged(text: str) -> bool:
    """Is the speaker not sure?"""
    return shipped_patterns().hedges.search(text.replace("\u2019", "'")) is not None


def is_low_belief(text: str) -> bool:
    """Does somebody think little of themselves in it?"""
    return shipped_patterns().beliefs.search(text.replace("\u2019", "'")) is not None


def _statement(clause: str, sentence: str) -> Statement | None:
    known = shipped_patterns()
    said = known.fillers.sub("", clause).strip(" ,")[:MAX_TEXT]
    if (rule := _rule(said)) is not None:
        return rule
    if known.not_their_own.search(sentence) or sentence.endswith("?"):
        return None
    if is_low_belief(said):
        text = SELF_BELIEF.format(said=said)
        return Statement(kind=Kind.FACT, text=text, evidence=sentence, repetition_only=True)
    asked = known.asked_to_remember.match(said)
    if asked:
        told = asked["told"].strip()
        return Statement(kind=Kind.FACT, text=_capital(told), evidence=sentence, slot=_slot(told)) if told else None
    if known.not_to_last.search(said):
        return None
    for pattern, slot in known.facts:
        if pattern.search(said):
            return Statement(
                kind=Kind.FACT, text=_capital(said), evidence=sentence, slot=slot, hedged=is_hedged(sentence)
            )
    return None


def _rule(said: str) -> Statement | None:
    """A request that is meant to last: about the manner, not about the matter."""
    known = shipped_patterns()
    for pattern, slot in known.rules:
        if pattern.search(said):
            return Statement(kind=Kind.RULE, text=_capital(said), evidence=said, slot=slot, repetition_only=True)
    if known.requests.search(said) and known.manners.search(said):
        return Statement(kind=Kind.RULE, text=_capital(said), evidence=said, repetition_only=True)
    return None


def _slot(told: str) -> str | None:
    return next((slot for pattern, slot in shipped_patterns().facts if pattern.search(told)), None)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
