"""The episodic arc of a session, by rules: what it was about, how it opened and closed, what stayed open.

Not a language model's summary. Law: a pure function of the recorded turns, and every sentence in it was spoken in
them: nothing is inferred.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from couchvoice.backend.store import Arc, Turn

MAX_THEMES = 3
MAX_SENTENCES = 5  # of each list
MAX_SENTENCE = 160  # characters

NEUTRAL = "neutral"

_WORDS_OF_THEME = {
    "work": "work job boss office colleague deadline meeting career interview",
    "sleep": "sleep asleep awake insomnia tired night nightmare bed rest",
    "family": "family mother father mom mum dad sister brother son daughter parents child children",
    "relationships": "partner friend friends wife husband girlfriend boyfriend relationship lonely breakup",
    "health": "health doctor pain sick illness medication therapy body",
    "worry": "worry worried anxious anxiety afraid fear panic nervous stress stressed overwhelmed",
    "grief": "grief grieving loss lost died death funeral miss",
    "self-worth": "failure worthless useless ashamed guilty stupid confidence",
    "studies": "school exam exams study studies university college homework",
    "money": "money rent debt bills savings",
}
_WORDS_OF_MOOD = {
    "low": "sad down low depressed hopeless empty lonely crying cry worthless miserable",
    "anxious": "anxious anxiety worried worry afraid nervous panic scared stressed overwhelmed tense",
    "angry": "angry furious annoyed frustrated mad irritated",
    "tired": "tired exhausted drained weary",
    "calm": "calm calmer relaxed better okay fine relieved peaceful lighter",
    "hopeful": "hopeful happy glad grateful proud excited good great thanks",
}
_INTENTION = re.compile(r"\b(?:i'll|i will|i'm going to|i am going to|i need to|i should|i plan to|tomorrow)\b", re.I)
_RESOLUTION = re.compile(
    r"\b(?:that helped|that helps|i (?:have )?(?:did|finished|solved|sorted)|it worked|feels? better)\b", re.I
)
_SENTENCE = re.compile(r"[^.?!\n]+[.?!]*")
_WORD = re.compile(r"[a-z]+")


def episodic_arc(turns: Sequence[Turn]) -> Arc:
    """Of at least one turn."""
    said = [turn.user_text for turn in turns if any(sentences(turn.user_text))]
    return Arc(
        summary=_summary(turns, said),
        primary_themes=_themes(said),
        mood_opened=next((mood for mood in map(_mood, said) if mood != NEUTRAL), NEUTRAL),
        mood_closed=next((mood for mood in map(_mood, reversed(said)) if mood != NEUTRAL), NEUTRAL),
        turn_count=len(turns),
        open_loops=_matching(said, _INTENTION),
        resolved_threads=_matching(said, _RESOLUTION),
    )


def _summary(turns: Sequence[Turn], said: Sequence[str]) -> str:
    length = "one turn" if len(turns) == 1 else f"{len(turns)} turns"
    if not any(turn.transcript_kept for turn in turns):
        return f"A talk of {length}, kept without its transcript."
    if not said:
        return f"A talk of {length} in which no words of the user were understood."
    opening, closing = next(sentences(said[0])), next(sentences(said[-1]))
    if len(said) == 1:
        return f"A talk of {length}. The user said: “{opening}”"
    return f"A talk of {length}. It began with “{opening}” and ended with “{closing}”"


def _themes(said: Sequence[str]) -> list[str]:
    words = Counter(word for text in said for word in _WORD.findall(text.lower()))
    weights = {theme: sum(words[word] for word in known.split()) for theme, known in _WORDS_OF_THEME.items()}
    named = sorted((theme for theme in weights if weights[theme]), key=lambda theme: -weights[theme])
    return named[:MAX_THEMES]


def _mood(text: str) -> str:
    words = set(_WORD.findall(text.lower()))
    weights = {mood: len(words & set(known.split())) for mood, known in _WORDS_OF_MOOD.items()}
    strongest = max(weights, key=lambda mood: weights[mood])
    return strongest if weights[strongest] else NEUTRAL


def _matching(said: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
    found = [
        sentence for text in said for sentence in sentences(text) if pattern.search(sentence.replace("\u2019", "'"))
    ]
    return list(dict.fromkeys(found))[-MAX_SENTENCES:]


def sentences(text: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(text):
        sentence = match.group().strip()
        if sentence:
            yield sentence if len(sentence) <= MAX_SENTENCE else f"{sentence[: MAX_SENTENCE - 1]}…"
