"""Whether the user's words say that somebody may come to harm: rules, without a model and without the network.

Not a diagnosis, and no gate: it is asked after a turn, to find crises that the model has missed. Law: what is said of
oneself or of others counts, a figure of speech and a plain "not" do not; in doubt it counts.
"""

from __future__ import annotations

import re
import unicodedata

_WHOM = r"(?:myself|himself|herself|themselves|themself|yourself)"
_SIGNS = (
    # English
    rf"\b(?:kill|killing|hang|hanging|shoot|shooting|drown|drowning|harm|harming|hurt|hurting|poison) {_WHOM}\b",
    rf"\bcut(?:ting)? {_WHOM}\b(?! (?:shaving|cooking|on|while|off|some|a)\b)",
    r"\b(?:end|ending|take|taking) (?:my|his|her|their) (?:own )?li(?:fe|ves)\b",
    r"\bsuicid(?:e|al)\b(?! squad)",
    r"\b(?:want|wants|wanted|wish|going|ready|rather|like|hope|decided) (?:to |i could |i would )?"
    r"(?:just )?(?:die\b|be dead|not (?:be alive|exist|wake up|live))",
    r"\bwish(?:ed)? (?:i|he|she) (?:was|were|would be) (?:dead|never born|not alive)\b",
    r"\bwish i (?:had never been born|didnt exist|would not wake up|wouldnt wake up)\b",
    r"\b(?:dont|do not|doesnt|does not|didnt|no longer|not) (?:really )?(?:want|wants|wish|care) to "
    r"(?:live|be alive|exist|be here any ?more|go on living|wake up)\b",
    r"\b(?:no|any) (?:reason|point) (?:to live|in living|to go on|in going on)\b",
    r"\b(?:life|living) (?:isnt|is not|is no longer) worth\b",
    r"\bbetter off (?:dead|without me)\b",
    r"\bend it all\b",
    r"\b(?:took|taken|swallowed|swallow|take) (?:all|a (?:whole )?(?:lot|bottle|box|handful) of|too many) "
    r"(?:\w+ ){0,3}(?:pills|tablets|medication|medicine)\b",
    r"\boverdos(?:e|ed|ing)\b",
    r"\bself[ -]?harm(?:ing|ed)?\b",
    r"\bjump(?:ing)? (?:off|from) (?:a|the|that) (?:\w+ )?(?:bridge|roof|building|cliff|balcony)\b",
    r"\bjump(?:ing)? in front of (?:a|the) (?:train|car|bus|truck)\b",
    r"\b(?:suicide|goodbye|farewell) (?:note|letter)\b",
    r"\b(?:going|threatens|threatened|threatening|wants|tried|tries) to "
    r"(?:kill|stab|shoot|strangle) (?:me|us|her|him)\b",
    r"\b(?:i|im) (?:\w+ )?(?:going|want|about) to (?:kill|stab|shoot) (?:him|her|them|someone|somebody|my)\b",
    # German
    r"\b(?:bringe?n?|brachte|nehmen|nehme|nimmt) (?:mich|mir|sich) (?:\w+ )?(?:um|das leben)\b",
    r"\b(?:mich|sich) (?:\w+ )?(?:umbringen|umzubringen|toten|erhangen|ritzen)\b",
    r"\b(?:mir|sich) (?:\w+ )?(?:das leben (?:zu )?nehmen|etwas antun|was antun)\b",
    r"\bselbstmord\b|\bsuizid\w*\b|\bselbst ?verletz\w*\b",
    r"\b(?:will|mochte|mag|kann) (?:\w+ ){0,2}(?:nicht mehr leben|sterben|tot sein)\b",
    r"\bware (?:ich )?(?:lieber |am liebsten )?tot\b",
    # French
    r"\b(?:me|se|te) (?:suicider|tuer|pendre)\b|\bsuicide?\b(?! squad)",
    r"\b(?:veux|voudrais|envie de|prefere) (?:\w+ )?mourir\b",
    r"\b(?:ne )?(?:veux|voudrais) plus vivre\b|\b(?:mettre fin a mes jours|en finir avec la vie)\b",
    # Spanish
    r"\b(?:suicidarme|suicidarse|matarme|quitarme la vida|hacerme dano|suicidio)\b",
    r"\b(?:quiero|quisiera|prefiero|ganas de) morir(?:me)?\b|\bno quiero (?:seguir )?(?:viviendo|vivir)\b",
)
_SIGN = re.compile("|".join(_SIGNS))
# "I am not suicidal", "I would never hurt myself". What is denied in the sign itself ("not want to live") counts.
_DENIED = re.compile(
    r"\b(?:not|never|no|without|dont|didnt|wont|wouldnt|isnt|arent|nicht|nie|keine?|ne|pas|jamais|nunca|sin)"
    r"(?: (?!(?:but|and|aber|mais|pero)\b)\w+){0,3} $"
)
_LITERAL = re.compile(r"\b(?:why not|cannot stop|cant stop|could not stop|not sure|not know|dont know)(?: \w+){0,4} $")
_NEAR = 80  # characters in which a "not" may stand
_APOSTROPHES = re.compile("['\u2019`\u00b4]")
_NOT_WORDS = re.compile(r"[^\w-]+")


def says_crisis(text: str) -> bool:
    plain = _plain(text)
    return any(not _is_denied(plain[max(0, found.start() - _NEAR) : found.start()]) for found in _SIGN.finditer(plain))


def _is_denied(before: str) -> bool:
    return _DENIED.search(before) is not None and _LITERAL.search(before) is None


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in decomposed if unicodedata.category(letter) not in ("Mn", "Cf"))
    # A full stop ends what a "not" denies.
    sentences = (_NOT_WORDS.sub(" ", part) for part in re.split(r"[.;!?]+", _APOSTROPHES.sub("", letters)))
    return " | ".join(sentence.strip() for sentence in sentences)
