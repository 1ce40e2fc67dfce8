"""Words as they are compared: a quote with what was said, a fact with one that says the same, a question with both.

Law: pure, and the same for both databases: case, accents, apostrophes and punctuation never make a difference.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_APOSTROPHES = str.maketrans("", "", "'`\u00b4\u02b9\u02bc\u2018\u2019\u201b\u2032\uff07")
_INVISIBLE = "Cf"  # such as a soft hyphen
_WORD = re.compile(r"[^\W_]+")
_NEGATIONS = frozenset(
    ("no not never dont doesnt didnt isnt arent wasnt cant cannot wont nobody nothing neither").split()  # noqa: SIM905
)
_STOP_WORDS = frozenset(
    (  # noqa: SIM905  # a list of so many would be read by nobody
        "a about all also am an and any are as at be been being but by can could did do does done for from get got had "
        "has have having he her hers him his how i id if ill im in into is it its ive just know let like me mine more "
        "most my myself of off on or our out over please really remember said say she should so some tell than that "
        "the their them then there these they thing things think this those to told too us very was we were what when "
        "where which who whom whose why will with would you your yours "
        "maybe perhaps guess suppose probably possibly might"
    ).split()
)
SIMILAR = 0.8  # of the words that two texts have together; above this they say the same
_FEW = 3  # words, of which each one counts


def normal(text: str) -> str:
    """Its words, in lower case, without accents, with one space between them."""
    plain = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold())
    return " ".join(_WORD.findall("".join(letter for letter in plain if _is_seen(letter))))


def _is_seen(letter: str) -> bool:
    return not unicodedata.combining(letter) and unicodedata.category(letter) != _INVISIBLE


def one_line(text: str) -> str:
    """As it may be kept and shown: no database takes a NUL, and no terminal shall obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def key_words(text: str) -> list[str]:
    """Those that tell what it is about, each once. Where all are common ones: all of them."""
    words = list(dict.fromkeys(normal(text).split()))
    return [word for word in words if word not in _STOP_WORDS] or words


@dataclass(frozen=True, slots=True, repr=False)
class Meaning:
    """A text as it is compared with many others."""

    text: str
    words: frozenset[str]
    must_agree: frozenset[str]

    def is_the_same_as(self, other: Meaning) -> bool:
        """Nearly the same words; a number or a "not" that only one of them has is another statement."""
        if self.text == other.text:
            return True
        if self.must_agree != other.must_agree or not self.words or not other.words:
            return False
        if min(len(self.words), len(other.words)) < _FEW:
            return self.words == other.words
        return len(self.words & other.words) / len(self.words | other.words) >= SIMILAR


def meaning_of(text: str) -> Meaning:
    words = set(normal(text).split())
    return Meaning(
        text=normal(text),
        # "dogs" is "dog" here; what it does to other words it does to both sides.
        words=frozenset(word.removesuffix("s") for word in key_words(text)),
        must_agree=frozenset(
            [word for word in words if any(map(str.isdigit, word))] + ["not"] * bool(words & _NEGATIONS)
        ),
    )


def say_the_same(one: str, other: str) -> bool:
    return meaning_of(one).is_the_same_as(meaning_of(other))
