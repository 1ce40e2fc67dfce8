"""The patterns of ``patterns.yaml``, read once and compiled."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

_WORD = re.compile(r"<([A-Z_]+)>")


@dataclass(frozen=True, slots=True)
class Patterns:
    """``facts`` and ``rules`` with their slots."""

    fillers: re.Pattern[str]
    not_their_own: re.Pattern[str]
    not_to_last: re.Pattern[str]
    hedges: re.Pattern[str]
    asked_to_remember: re.Pattern[str]
    beliefs: re.Pattern[str]
    facts: Sequence[tuple[re.Pattern[str], str | None]]
    rules: Sequence[tuple[re.Pattern[str], str | None]]
    requests: re.Pattern[str]
    manners: re.Pattern[str]


@functools.cache
def shipped_patterns() -> Patterns:
    text = (resources.files("couchvoice.backend.memory") / "patterns.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    words = table.pop("words")
    return Patterns(**{name: _compiled(value, words) for name, value in table.items()})


def _compiled(value: str | list[Any], words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _pattern(value, words)
    if isinstance(value[0], str):
        return _pattern("|".join(f"(?:{one})" for one in value), words)
    return tuple((_pattern(one["pattern"], words), one.get("slot")) for one in value)


def _pattern(text: str, words: Mapping[str, str]) -> re.Pattern[str]:
    return re.compile(_WORD.sub(lambda word: words[word[1]], text), re.IGNORECASE)
