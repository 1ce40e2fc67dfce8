"""Whether a client event is the one that a cassette knows, and what else it is.

Ids differ from talk to talk, so those that the client chose may have any value, the same one everywhere.
Law: all else is compared as it is, the JSON inside a call's output too; a difference is shown as a diff.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DIFF = 1500  # characters: an error event is read by people

# Where a client may name what it has made.
_ID_KEYS = frozenset({"event_id", "id", "item_id", "call_id", "previous_item_id", "response_id"})
# Of these a client makes up its own: in a diff they would only distract.
_MADE_UP = frozenset({"event_id", "id"})
# Texts that hold JSON: the order of its keys is nobody's business.
_JSON_KEYS = frozenset({"output", "arguments"})
# What stood there was a secret, or said whose talk it was.
_TAKEN_OUT = re.compile("⟨[a-z_ ]+⟩")


@dataclass(slots=True)
class Names:
    """What the client's own ids of the cassette are called in this talk. ``own``: all that the client had chosen."""

    own: frozenset[str]
    now: dict[str, str] = field(default_factory=dict)

    def with_those_of(self, known: Any, got: Any) -> Names | None:
        """As they are called if ``got`` is what the cassette knows as ``known``; None: it is something else."""
        tried = Names(self.own, dict(self.now))
        return tried if _alike(known, got, tried, key="") else None


def own_ids(events: Iterable[tuple[str, Any]]) -> frozenset[str]:
    """Which ids the client was the first to name; each event comes with its sender."""
    seen: dict[str, str] = {}
    for who, event in events:
        for found in _ids(event, ""):
            seen.setdefault(found, who)
    return frozenset(found for found, who in seen.items() if who == "client")


def translated(event: Any, names: Mapping[str, str]) -> Any:
    """An event of the cassette's with the client's own ids in it."""
    match event:
        case str():
            return names.get(event, event)
        case dict():
            return {key: translated(value, names) for key, value in event.items()}
        case list():
            return [translated(value, names) for value in event]
        case _:
            return event


def difference(known: Any, got: Any) -> str:
    """As ``diff -u``, of what counts."""
    lines = difflib.unified_diff(_lines(known), _lines(got), "cassette", "this client", lineterm="", n=2)
    text = "\n".join(lines)
    return text if len(text) <= MAX_DIFF else text[:MAX_DIFF] + "\n…"


def _alike(known: Any, got: Any, names: Names, *, key: str) -> bool:
    match known, got:
        case dict(), dict():
            if _keys(known) != _keys(got):
                return False
            return all(_alike(known[name], got[name], names, key=name) for name in sorted(known.keys() & got.keys()))
        case list(), list():
            pairs = zip(known, got, strict=False)
            return len(known) == len(got) and all(_alike(one, other, names, key=key) for one, other in pairs)
        case str(), str() if key in _ID_KEYS and known in names.own:
            return names.now.setdefault(known, got) == got
        case str(), str() if key in _JSON_KEYS and (read := _read(known)) != known:
            return _alike(read, _read(got), names, key="")
        case str(), str() if _TAKEN_OUT.search(known):
            parts = (re.escape(part) for part in _TAKEN_OUT.split(known))
            return re.fullmatch(".*?".join(parts), got, re.DOTALL) is not None
        case _:
            return bool(known == got)


def _ids(event: Any, key: str) -> Iterator[str]:
    match event:
        case dict():
            for name, value in event.items():
                yield from _ids(value, name)
        case list():
            for value in event:
                yield from _ids(value, key)
        case str() if key in _ID_KEYS:
            yield event


def _keys(event: Mapping[str, Any]) -> set[str]:
    """An event's own name may be there or not."""
    return event.keys() - {"event_id"}


def _lines(event: Any) -> list[str]:
    return json.dumps(_readable(event, ""), indent=2, ensure_ascii=False, sort_keys=True).splitlines()


def _readable(event: Any, key: str) -> Any:
    match event:
        case dict():
            return {name: _readable(value, name) for name, value in event.items() if name not in _MADE_UP}
        case list():
            return [_readable(value, key) for value in event]
        case str() if key in _JSON_KEYS:
            return _read(event)
        case _:
            return event


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def first_of_kind(known: Iterable[Any], got: Any) -> Any:
    """Of several, the one to show the difference from: of the same type, else the first."""
    events = list(known)
    kind = got.get("type") if isinstance(got, dict) else None
    return next((event for event in events if isinstance(event, dict) and event.get("type") == kind), events[0])
