"""Which of what was said is kept: at once, when enough was said for it, or never.

    a fact               said plainly in the transcript, or borne out by the summary; else held until it is said again
    a low self-belief    held until it comes back in another session, whatever the summary says, and then as a thought
    a rule               held until it was asked for twice; never one that would leave out what keeps the person safe
    what opens a door    never

Law: pure; nothing that is not the person's own is taken for support.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from couchvoice.backend.memory.records import Kind, Lesson, Statement
from couchvoice.backend.memory.safety import holds_a_secret, skips_safety
from couchvoice.backend.memory.words import key_words, normal, say_the_same
from couchvoice.backend.store import Arc, Turn

MAX_LESSONS = 20  # of one session
MIN_EVIDENCE = 8  # characters of a quote that proves something
_QUOTED = re.compile("\u201c[^\u201d]*\u201d")
_ENOUGH = 0.6  # of the words of a statement


def lessons_of(turns: Sequence[Turn], arc: Arc | None, told: Sequence[Sequence[Statement]]) -> list[Lesson]:
    """``told``: by turn. The same said in several turns is one lesson, and repetition; a low thought counts once."""
    said = [normal(turn.user_text) for turn in turns]
    lessons: list[Lesson] = []
    for statements in told:
        fresh: list[Lesson] = []
        for statement in filter(_may_be_kept, statements):
            same = next((one for one in lessons if _same(one.statement, statement)), None)
            if same is None:
                fresh.append(Lesson(statement=statement, supported=_is_supported(statement, said, arc)))
                continue
            counts = statement.kind is Kind.RULE or not statement.repetition_only
            lessons[lessons.index(same)] = Lesson(
                statement=same.statement,
                supported=same.supported or _is_supported(statement, said, arc),
                mentions=same.mentions + counts,
            )
        lessons += fresh
    return lessons[:MAX_LESSONS]


def summary_supports(statement: Statement, arc: Arc) -> bool:
    """The summary says so in words of its own: what it only quotes, as the one by rules does, it does not bear out."""
    if statement.kind is not Kind.FACT or statement.repetition_only:
        return False
    return _share(statement.text, normal(_QUOTED.sub(" ", arc.summary))) >= _ENOUGH


def _may_be_kept(statement: Statement) -> bool:
    if holds_a_secret(statement.text) or holds_a_secret(statement.evidence):
        return False
    return statement.kind is not Kind.RULE or not (skips_safety(statement.text) or skips_safety(statement.evidence))


def _is_supported(statement: Statement, said: Sequence[str], arc: Arc | None) -> bool:
    if statement.repetition_only:
        return False
    quote = normal(statement.evidence)
    if not statement.hedged and len(quote) >= MIN_EVIDENCE and any(quote in text for text in said):
        return True
    return arc is not None and _share(statement.text, " ".join(said)) >= _ENOUGH and summary_supports(statement, arc)


def _same(one: Statement, other: Statement) -> bool:
    return one.kind is other.kind and say_the_same(one.text, other.text)


def _share(text: str, where: str) -> float:
    """How many of its words stand there."""
    words, there = key_words(text), set(where.split())
    return sum(word in there for word in words) / len(words) if words else 0.0
