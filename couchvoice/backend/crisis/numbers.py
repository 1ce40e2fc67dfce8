"""Numbers in what was said that somebody might dial, in all the ways in which they can be written.

Digits of any script and width, apart or together, with whatever stands between; words of several languages; both mixed.
Law: three digits in a row are such a number. What is clearly a time, a span, a share or a year is none, and rather
too much is taken for a number than too little.
"""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from couchvoice.backend.crisis.number_words import AND, HUNDREDS, LONGEST, SMALL, THOUSANDS, TIMES

MIN_DIALLED = 3  # digits
MAX_SPAN = 3  # digits of a span of time or a share

_TOKEN = re.compile(r"\d+|[^\W\d_]+")
_LOOKS_LIKE_DIGITS = re.compile(r"(?<![^\W_])(?=[oil]*\d)[\doil]+(?![^\W_])")
_COMPOUND = re.compile(r"(hundert|tausend|honderd|duizend|(?<![a-z])cento(?=[a-z])|(?<=[a-z])cento(?![a-z]))")
_NO_NUMBER = re.compile(
    r"(?<!\d)24 ?[/x] ?7(?!\d)|\btwenty[- ]four[- /]seven\b"
    r"|(?<=scale of )[01] ?- ?10(?!\d)|(?<=scale from )[01] ?- ?10(?!\d)"
    r"|(?<!\d)(?:[01]?\d|2[0-3])[:.][0-5]\d ?(?:am|pm|a\.m\.|p\.m\.|uhr|o'clock)(?!\w)"
    r"|(?<=\bin )(?:19|20)\d\d(?=[ .,;!?]*(?:[^\W\d]|$))|(?<=\bsince )(?:19|20)\d\d(?=[ .,;!?]*(?:[^\W\d]|$))"
)
_SPANS = re.compile(
    r"[ -]?(?:%|percent|seconds?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|months?|years?|times|people"
    r"|mg|milligrams?|ml|kg|km|miles?|steps?|breaths?|dollars?|euros?|stunden?|minuten?|tage?n?|jahren?)(?!\w)"
)
_BETWEEN = AND | {
    *("then", "dash", "hyphen", "dot", "point", "space", "slash", "plus", "minus", "star", "hash", "comma", "again"),
    *("followed", "by", "extension", "ext", "area", "code", "dann", "strich", "puis", "luego", "poi", "punkt", "tiret"),
}
_CALLING = re.compile(r"\b(?:call|dial|ring|phone|text|number|line|hotline|helpline|lifeline|reach)", re.I)
_NEAR = 40  # characters
_APART = re.compile(r"[.;:!?)]+\s.*|\s*\n.*|.*\b(?:and|und|et|y|e|en)\b.*", re.S)  # a new sentence, or another thing


class _Token(NamedTuple):
    text: str
    start: int
    end: int
    hyphen: bool  # before it


class _Group(NamedTuple):
    """``readings``: the digits that it may stand for, the likeliest first."""

    readings: tuple[str, ...]
    start: int
    end: int
    spoken: bool


def invented(text: str, *, looked_up: Collection[str]) -> int:
    """How many numbers are in it that are none of those looked up (their digits)."""
    plain = _plain(text)
    known = frozenset(looked_up)
    return sum(not _is_innocent(run, plain, known) for run in _runs(plain))


def _plain(text: str) -> str:
    """Lower case, no accents, no invisible characters, every digit an ASCII one."""
    decomposed = unicodedata.normalize("NFKD", html.unescape(text))
    kept = (letter for letter in decomposed if unicodedata.category(letter) not in ("Mn", "Me", "Cf"))
    plain = "".join(map(_plain_letter, kept)).casefold()
    plain = _LOOKS_LIKE_DIGITS.sub(lambda found: found[0].translate(_ALIKE), plain)
    plain = _COMPOUND.sub(r" \1 ", plain)
    return _NO_NUMBER.sub(" always ", plain)


_ALIKE = str.maketrans("oil", "011")


@functools.lru_cache(maxsize=4096)
def _plain_letter(letter: str) -> str:
    if letter.isascii():
        return letter
    value = unicodedata.numeric(letter, None)
    if value is not None and value in range(10):
        return str(int(value))
    return {"\u041e": "o", "\u043e": "o"}.get(letter, letter)  # Cyrillic, between digits


def _runs(plain: str) -> Iterator[list[_Group]]:
    """Numbers that nothing but punctuation and words such as "dash" keep apart."""
    run: list[_Group] = []
    for item in _items(plain):
        if isinstance(item, _Group):
            run.append(item)
        elif run and item.text not in _BETWEEN:
            yield run
            run = []
    if run:
        yield run


def _items(plain: str) -> Iterator[_Group | _Token]:
    found = _TOKEN.finditer(plain)
    tokens = [
        _Token(word[0], word.start(), word.end(), plain[word.start() - 1 : word.start()] == "-") for word in found
    ]
    at = 0
    while at < len(tokens):
        group, after = _group(tokens, at)
        yield tokens[at] if group is None else group
        at = after


def _group(tokens: Sequence[_Token], at: int) -> tuple[_Group | None, int]:
    """The number that begins here, with where it ends. None: there is none."""
    if tokens[at].text in TIMES and at + 1 < len(tokens):
        value, after = _small(tokens, at + 1)
        if value is not None and value < 10:
            return _made((str(value) * TIMES[tokens[at].text],), tokens, at, after), after
    if tokens[at].text.isdigit() and not (at + 1 < len(tokens) and tokens[at + 1].text in HUNDREDS):
        return _Group((tokens[at].text,), tokens[at].start, tokens[at].end, False), at + 1
    value, after = _small(tokens, at)
    if value is None and tokens[at].text not in HUNDREDS | THOUSANDS:
        return None, at + 1
    return _large(tokens, at, 1 if value is None else value, at if value is None else after)


def _large(tokens: Sequence[_Token], at: int, value: int, after: int) -> tuple[_Group, int]:
    """Hundreds and thousands of ``value``, and what is added to them."""
    readings = [str(value)]
    if after == at + 2 and value >= 20 and value % 10 and not tokens[at + 1].hyphen:  # "twenty three" may be 20 and 3
        readings.append(f"{value - value % 10}{value % 10}")
    factors = [(HUNDREDS, 100), (THOUSANDS, 1000)]
    while factors:
        names, factor = factors.pop(0)
        if after < len(tokens) and tokens[after].text in names:
            value, after, readings = _multiplied(tokens, value, after + 1, factor)
            if names is THOUSANDS:
                factors.append((HUNDREDS, 100))  # of what follows: "one thousand seven hundred"
    return _made(tuple(dict.fromkeys(readings)), tokens, at, after), after


def _multiplied(tokens: Sequence[_Token], value: int, after: int, factor: int) -> tuple[int, int, list[str]]:
    low = value % 1000
    whole = value * factor if value < 1000 else value - low + max(1, low) * factor
    rest, end = _small(tokens, after + 1 if after < len(tokens) and tokens[after].text in AND else after)
    if rest is None:
        return whole, after, [str(whole)]
    return whole + rest, end, [str(whole + rest), f"{whole}{rest}"]


def _small(tokens: Sequence[_Token], at: int) -> tuple[int | None, int]:
    if at < len(tokens) and tokens[at].text.isdigit():
        return (int(tokens[at].text), at + 1) if len(tokens[at].text) <= 2 else (None, at)
    for length in range(min(LONGEST, len(tokens) - at), 0, -1):
        value = SMALL.get(tuple(token.text for token in tokens[at : at + length]))
        if value is not None:
            return value, at + length
    return None, at


def _made(readings: tuple[str, ...], tokens: Sequence[_Token], at: int, after: int) -> _Group:
    return _Group(readings, tokens[at].start, tokens[after - 1].end, True)


def _is_innocent(run: Sequence[_Group], plain: str, known: Collection[str]) -> bool:
    groups = list(run)
    last = groups[-1]
    if len(last.readings[0]) <= MAX_SPAN and _SPANS.match(plain, last.end) and not _calls(plain, last):
        groups.pop()
    elif len(groups) == 1 and last.spoken and last.readings[0].endswith("00"):
        return not _is_called(last, plain)  # "a hundred reasons"
    rest: list[_Group] = []
    at = 0
    while at < len(groups):
        taken = max((_spelled(groups, at, number) for number in known), default=0)
        if taken:
            if not _is_nothing(rest, plain) or not _apart(groups, at, at + taken, plain):
                return False
            rest, at = [], at + taken
        else:
            rest.append(groups[at])
            at += 1
    return _is_nothing(rest, plain)


def _calls(plain: str, group: _Group) -> bool:
    """The words just before it say that it is dialled."""
    before = plain[max(0, group.start - _NEAR) : group.start]
    return re.search(r"(?:call|dial|ring|phone|text|number|line|at|on)(?: is)?[ :]+$", before) is not None


def _is_nothing(groups: Sequence[_Group], plain: str) -> bool:
    """Too short to be dialled, in every reading where somebody is to call, else in the likeliest."""
    return (
        not groups
        or sum(
            max(map(len, group.readings)) if _is_called(group, plain) else len(group.readings[0]) for group in groups
        )
        < MIN_DIALLED
    )


def _is_called(group: _Group, plain: str) -> bool:
    return _CALLING.search(plain, max(0, group.start - _NEAR), group.end + _NEAR) is not None


def _spelled(groups: Sequence[_Group], at: int, number: str) -> int:
    """How many groups from here on make just this number; 0: they make another."""
    if not number or at >= len(groups):
        return 0
    for reading in groups[at].readings:
        if reading == number:
            return 1
        if number.startswith(reading) and (more := _spelled(groups, at + 1, number[len(reading) :])):
            return 1 + more
    return 0


def _apart(groups: Sequence[_Group], begin: int, end: int, plain: str) -> bool:
    """What stands beside the number is no part of it: it is set off, and otherwise than the number's own parts."""
    gaps = [plain[one.end : other.start] for one, other in pairwise(groups)]
    beside = gaps[max(0, begin - 1) : begin] + gaps[end - 1 : end]
    return all(_APART.fullmatch(gap) and gap not in gaps[begin : end - 1] for gap in beside)
