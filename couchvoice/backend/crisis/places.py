"""Where the user is, as far as their own words say so, and which crisis lines there are.

Not a geocoder. Law: the country comes from the user's own words and from nothing else; when the words leave a doubt,
nothing is found and the user is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from couchvoice.backend.crisis.resources import Country, Resource

LookupStatus = Literal[
    "found", "no_location", "location_refused", "no_verified_results", "lookup_error", "not_attempted"
]

MAX_PLACE = 60  # characters of a place's name that we repeat

_REFUSAL = re.compile(
    r"\b(?:rather not|prefer not to|don't want to|do not want to|won't|will not|not going to)\s+"
    r"(?:\w+\s+){0,3}?(?:say|tell|share|reveal|give)\b[^.?!]{0,40}\b(?:where|location|country|city|town|address)\b",
    re.I,
)
# Each says that the place is not to be known, without a word such as "say" before "where".
_KEPT_SECRET = re.compile(
    r"\b(?:(?:none of your|not your) business where"
    r"|(?:don't|do not) (?:look up|ask(?: me)?) (?:where (?:i|we)\b|(?:for )?my (?:location|country|city|address))"
    r"|keep my (?:location|country|city|address) (?:private|secret|to myself))",
    re.I,
)
_UNKNOWN_PLACE = re.compile(
    r"\b(?i:i live in|we live in|i'm in|i am in|we're in|i'm from|i am from|calling from)\s+(?i:the\s+)?"
    r"([^\W\d_a-z][\w'-]*(?: [^\W\d_a-z][\w'-]*){0,3})"
)
_NOT_THERE = re.compile(r"\b(?:not in|not from|left|leaving|out of|used to live in)\s+(?:the\s+)?$", re.I)
_THERE = re.compile(r"\b(?:in|or)\s+(?:the\s+)?$", re.I)  # "in Germany or France" leaves a doubt
_WITH_ARTICLE = re.compile(r"United |Netherlands")


@dataclass(frozen=True, slots=True)
class Lookup:
    status: LookupStatus
    location: str | None = None
    resources: tuple[Resource, ...] = ()


def look_up(said: Sequence[str], countries: Sequence[Country]) -> Lookup:
    """Find the lines for what the user said, newest first: the newest words that tell a place, or refuse to, decide."""
    texts = [text.replace("\u2019", "'") for text in said if text.strip()]
    if not texts:
        return Lookup("not_attempted")
    for text in texts:
        if _REFUSAL.search(text) or _KEPT_SECRET.search(text):
            return Lookup("location_refused")
        named = _named(text, countries)
        if len(named) > 1:
            return Lookup("no_location")
        if named:
            return Lookup("found", named[0].region, named[0].resources)
        if place := _UNKNOWN_PLACE.search(text):
            return Lookup("no_verified_results", place.group(1)[:MAX_PLACE])
    return Lookup("no_location")


def spoken(place: str) -> str:
    """As it is said after "in"."""
    return f"the {place}" if _WITH_ARTICLE.match(place) else place


def _named(text: str, countries: Sequence[Country]) -> list[Country]:
    """The countries in which the user may be. Those that are said with "in" win over those only mentioned."""
    mentions = [(country, text[: match.start()], match.group()) for country, match in _mentions(text, countries)]
    there = [country for country, before, name in mentions if _THERE.search(before) or name.lower().startswith("in ")]
    return list(dict.fromkeys(there or [country for country, _, _ in mentions]))


def _mentions(text: str, countries: Sequence[Country]) -> Iterator[tuple[Country, re.Match[str]]]:
    found = [
        (country, match)
        for country in countries
        for pattern in country.patterns
        for match in pattern.finditer(text)
        if not _NOT_THERE.search(text[: match.start()])
    ]
    for country, match in found:
        # "Northern Ireland" does not mention Ireland.
        if not any(_inside(match, other) for _, other in found):
            yield country, match


def _inside(inner: re.Match[str], outer: re.Match[str]) -> bool:
    return outer.start() <= inner.start() and inner.end() <= outer.end() and len(inner.group()) < len(outer.group())
