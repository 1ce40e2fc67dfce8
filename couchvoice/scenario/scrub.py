"""Takes out of a recording what must not be kept: keys, secrets, and whose talk it was.

What is known to be secret is replaced wherever it stands; what only looks like a key, too. Ids of the provider's become
numbers in the order of their appearance, so that two recordings of the same talk read alike.
Law: the same text becomes the same text everywhere, so that what belonged together still does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# OpenAI's keys and client secrets, JSON Web Tokens, and whatever is sent as a bearer.
_KEYS = re.compile(
    r"\b(?:sk|ek)[-_][A-Za-z0-9_-]{8,}|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"
    r"|(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}"
)
# With a digit: "item_reference" is no id.
_IDS = re.compile(r"\b(sess|item|resp|event|call|rtc|conv|msg|fc)_(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{6,}")
_SECRET_FIELDS = frozenset(
    {"client_secret", "api_key", "authorization", "session_token", "token", "secret", "password"}
)
KEPT_BACK = "⟨scrubbed⟩"
_SHORTEST = 6  # characters; a name of two letters would be torn out of every word


class Scrubber:
    """``known``: what is secret, by the name that stands in its place, as in ``{"thread": "thread_5f"}``.

    ``renumber``: the provider's ids, too.
    """

    def __init__(self, known: Mapping[str, str], *, renumber: bool) -> None:
        self._renumber = renumber
        found = {text: f"⟨{name}⟩" for name, text in known.items() if text and len(text) >= _SHORTEST}
        # The longest first: a part of another would leave the rest of it.
        self._known = sorted(found.items(), key=lambda pair: -len(pair[0]))
        self._ids: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def scrub(self, value: Any) -> Any:
        """The same JSON without it. Keys of objects stay: they are the protocol's."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {name: self._field(name, field) for name, field in value.items()}
            case list():
                return [self.scrub(each) for each in value]
            case _:
                return value

    def text(self, text: str) -> str:
        for secret, name in self._known:
            text = text.replace(secret, name)
        text = _KEYS.sub(KEPT_BACK, text)
        return _IDS.sub(self._numbered, text) if self._renumber else text

    def _field(self, name: str, value: Any) -> Any:
        if name.lower() in _SECRET_FIELDS and value:
            return KEPT_BACK
        return self.scrub(value)

    def _numbered(self, found: re.Match[str]) -> str:
        kind = found[1]
        if found[0] not in self._ids:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._ids[found[0]] = f"{kind}_{self._counts[kind]}"
        return self._ids[found[0]]
