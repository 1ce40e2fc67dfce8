"""The words for numbers below a hundred, in the languages in which a line may be named, and what makes them larger.

Written without accents and capitals, as ``numbers`` compares them. Law: a word that is a common word of another of
these languages ("to", "once", "en") is left out: it would make numbers of sentences.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

_ENGLISH = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_GERMAN = "null eins zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn"
_FRENCH = "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
_SPANISH = "cero uno dos tres cuatro cinco seis siete ocho nueve diez - doce trece catorce quince dieciseis"
_ITALIAN = "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici"
_DUTCH = "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien"
_PORTUGUESE = "zero um dois tres quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis"

# Up to nineteen, and the tens from twenty on.
_LANGUAGES = (
    (f"{_ENGLISH} seventeen eighteen nineteen", "twenty thirty forty fifty sixty seventy eighty ninety"),
    (f"{_GERMAN} siebzehn achtzehn neunzehn", "zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig"),
    (f"{_FRENCH} - - -", "vingt trente quarante cinquante soixante septante huitante nonante"),
    (
        f"{_SPANISH} diecisiete dieciocho diecinueve",
        "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    ),
    (
        f"{_ITALIAN} diciassette diciotto diciannove",
        "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    ),
    (f"{_DUTCH} zeventien achttien negentien", "twintig dertig veertig vijftig zestig zeventig tachtig negentig"),
    (f"{_PORTUGUESE} dezessete dezoito dezenove", "- trinta quarenta cinquenta sessenta setenta oitenta noventa"),
)
_DIGITS_ALONE = (
    "noll ett tva tre fyra fem sex sju atta nio",
    "zero jeden dwa trzy cztery piec szesc siedem osiem dziewiec",
)
_OTHERS = {"oh": 0, "o": 0, "nought": 0, "naught": 0, "nil": 0, "zwo": 2, "ein": 1, "vinte": 20, "niner": 9}

HUNDREDS = frozenset({"hundred", "hundert", "cent", "cents", "cien", "ciento", "cento", "honderd"})
THOUSANDS = frozenset({"thousand", "tausend", "mil", "mille", "mila", "duizend"})
TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4, "doppel": 2, "doble": 2, "duplo": 2}
AND = frozenset({"and", "und", "et", "y", "e", "en"})


def _pairs() -> Iterator[tuple[tuple[str, ...], int]]:
    for small, large in _LANGUAGES:
        units = [(word, value) for value, word in enumerate(small.split()) if word != "-"]
        tens = [(word, 10 * value) for value, word in enumerate(large.split(), start=2) if word != "-"]
        yield from (((word,), value) for word, value in (*units, *tens))
        for (unit, one), (ten, many) in itertools.product(units, tens):
            if 0 < one < 10:
                stem = ten[:-1] if unit[0] in "uo" and ten[-1] in "aio" else ten  # ventuno, ventotto
                yield from (((form,), many + one) for form in (f"{ten}{unit}", f"{stem}{unit}"))
                yield from (
                    ((f"{start}{link}{ten}",), many + one) for start in (unit, unit[:3]) for link in ("und", "en")
                )
                yield (ten, unit), many + one
                yield from (((ten, link, unit), many + one) for link in ("et", "y", "e"))
    yield from (((word,), value) for digits in _DIGITS_ALONE for value, word in enumerate(digits.split()))
    yield from (((word,), value) for word, value in _OTHERS.items())
    yield from _french()
    for unit, one in zip(
        ["uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"], range(1, 10), strict=True
    ):
        yield (f"veinti{unit}",), 20 + one
    for unit, one in zip(
        ["um", "dois", "tres", "quatro", "cinco", "seis", "sete", "oito", "nove"], range(1, 10), strict=True
    ):
        yield ("vinte", "e", unit), 20 + one


def _french() -> Iterator[tuple[tuple[str, ...], int]]:
    small = [*_FRENCH.split(), *(("dix", word) for word in ("sept", "huit", "neuf"))]
    for value, word in enumerate(small):
        words = word if isinstance(word, tuple) else (word,)
        if value >= 10:
            yield words, value
            yield ("soixante", *words), 60 + value
            yield ("soixante", "et", *words), 60 + value
        if value > 0:
            yield ("quatre", "vingt", *words), 80 + value
    yield ("quatre", "vingts"), 80
    yield ("quatre", "vingt"), 80


# By the words of which they are made.
SMALL: dict[tuple[str, ...], int] = dict(_pairs())
LONGEST = max(map(len, SMALL))
