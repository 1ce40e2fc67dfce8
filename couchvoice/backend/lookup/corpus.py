"""The shipped corpus: passages that are found by their words, ranked by BM25.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. Law: a passage that shares only
a little with the question is no answer to it: then nothing is found.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from couchvoice.backend.lookup.passage import Passage
from couchvoice.backend.lookup.words import telling_words

K1, B = 1.2, 0.75  # BM25's usual ones
HEADING_WEIGHT = 3  # a word of the title, or one by which people ask, counts as so many of the text
MIN_SHARE = 0.6  # of the question's weight that a passage must know
MAX_PASSAGES = 3


class _Entry(NamedTuple):
    passage: Passage
    counts: Counter[str]
    headings: frozenset[str]


class Corpus:
    """Implements Source."""

    name = "corpus"

    def __init__(self, entries: Sequence[tuple[Passage, Sequence[str]]]) -> None:
        """Each passage with the words by which people ask for it."""
        self._entries = [_entry(passage, about) for passage, about in entries]
        self._spread = Counter(word for entry in self._entries for word in entry.counts)
        self._length = sum(entry.counts.total() for entry in self._entries) / max(1, len(self._entries))

    async def find(self, query: str) -> list[Passage]:
        words = list(dict.fromkeys(telling_words(query)))
        weight = sum(map(self._rarity, words))
        scored = [
            (self._score(entry, words), entry.passage)
            for entry in self._entries
            if entry.headings.intersection(words)
            and sum(self._rarity(word) for word in words if word in entry.counts) >= MIN_SHARE * weight
        ]
        scored.sort(key=lambda pair: -pair[0])
        return [passage for _, passage in scored[:MAX_PASSAGES]]

    async def close(self) -> None:
        pass

    def _rarity(self, word: str) -> float:
        """BM25's inverse document frequency; a word that no passage has weighs most."""
        has = self._spread[word]
        return math.log(1 + (len(self._entries) - has + 0.5) / (has + 0.5))

    def _score(self, entry: _Entry, words: Sequence[str]) -> float:
        room = K1 * (1 - B + B * entry.counts.total() / self._length)
        return sum(
            self._rarity(word) * entry.counts[word] * (K1 + 1) / (entry.counts[word] + room)
            for word in words
            if word in entry.counts
        )


@functools.cache
def shipped_corpus() -> Corpus:
    with resources.as_file(resources.files("couchvoice.backend.lookup") / "corpus.yaml") as path:
        return load_corpus(path)


def load_corpus(path: Path) -> Corpus:
    """Raises ValueError for a file that is no corpus, OSError for one that cannot be read."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Corpus([_passage(entry) for entry in loaded])
    except (yaml.YAMLError, ValidationError, KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{path.name} is not a list of passages with their pages and dates") from exc


def _passage(entry: dict[str, Any]) -> tuple[Passage, list[str]]:
    passage = Passage.model_validate({name: value for name, value in entry.items() if name != "about"})
    if passage.dated is None or not passage.publisher:
        raise KeyError(passage.title)
    return passage, [str(words) for words in entry["about"]]


def _entry(passage: Passage, about: Sequence[str]) -> _Entry:
    headings = telling_words(" ".join((passage.title, *about)))
    counts = Counter(telling_words(passage.text))
    for word in headings:
        counts[word] += HEADING_WEIGHT
    return _Entry(passage, counts, frozenset(headings))
