"""Rules that nobody may give the assistant: those with which it would leave out what keeps a person safe.

Law: pure; a rule that only sounds like one of them is refused rather than kept. The instructions stand above every rule
all the same: this keeps such a rule from being told at all.
"""

from __future__ import annotations

import re

from couchvoice.backend.memory.words import normal

_NEVER = (
    r"\b(?:no|not|never|dont|wont|cant|stop|stopped|quit|avoid|without|skip|skipping|leave out|leave off|drop|less)\b"
)
_CARE = (
    r"\b(?:crisis|crises|emergency|emergencies|911|112|999|988|hotlines?|help ?lines?|lifelines?|ambulance|police|"
    r"safe|safety|suicid\w*|kill(?:ing)? myself|self harm\w*|harm(?:ing)? myself|hurt(?:ing)? myself|danger\w*|risk\w*|"
    r"overdos\w*|doctors?|therap(?:y|ist|ists)|professionals?|counsel\w*|psychiatr\w*|psycholog\w*|medical|hospital|warn\w*|"
    r"checks? on me|checking on me|check in on me|look after myself)\b"
)
_SAFETY_SKIPPED = (
    # "never mention hotlines", "skip the safety questions": the word and what it is about, not far from each other.
    re.compile(rf"{_NEVER}(?: \w+){{0,7}}? {_CARE}|{_NEVER} {_CARE}"),
    re.compile(rf"{_CARE}(?: \w+){{0,4}} (?:off|out|away|alone)\b"),
    re.compile(
        r"\b(?:ignore|forget|disregard|override|bypass|turn off|switch off|disable|suspend)\b(?: \w+){0,5}? "
        r"(?:instructions?|rules?|guidelines?|polic(?:y|ies)|safety|safeguards?|filters?|limits?|restrictions?|training)\b"
    ),
    re.compile(
        r"\b(?:keep|stays?|hide)\b(?: \w+){0,6}? secret\b|\btell nobody\b|"
        r"\b(?:not|dont|never) tell (?:anyone|anybody)\b"
    ),
    re.compile(
        r"\b(?:help|teach|tell|show|encourage|let|allow)\b(?: \w+){0,6}? "
        r"(?:kill|hurt|harm|cut|starve|poison|drown)(?:ing)? (?:me|myself|him|her|them|someone|somebody|people)\b"
    ),
    re.compile(r"\b(?:agree|encourage|support)\b(?: \w+){0,6}? (?:suicid\w*|self harm\w*|dying|to die|starv\w*)\b"),
    re.compile(
        r"\b(?:pretend|act|say|answer|speak)\b(?: \w+){0,6}? (?:no|without|have no)(?: any)? "
        r"(?:limits|rules|restrictions|filters?)\b"
    ),
)
# What others may use, and what nobody needs to remember.
_SECRET = re.compile(
    r"\b(?:password|passcode|passphrase|pin|pin code|pin number|cvv|cvc|api key|secret key|iban|credit card|"
    r"card number|social security)\b|(?:\d ?){12,}"
)


def skips_safety(rule: str) -> bool:
    """Would the assistant leave out what keeps the person safe, if it kept to this?"""
    words = normal(rule)
    return any(pattern.search(words) for pattern in _SAFETY_SKIPPED)


def holds_a_secret(text: str) -> bool:
    """Is it, or does it tell, something that opens a door?"""
    return _SECRET.search(normal(text)) is not None
