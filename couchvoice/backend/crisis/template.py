"""What to say to somebody in danger, by how great the danger is: our own wording, the same every time.

Law: deterministic, and it names no line and no number but those that were looked up in this turn.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from couchvoice.backend.crisis.places import Lookup, spoken

RiskLevel = Literal["moderate", "high", "imminent"]


class _Words(NamedTuple):
    opening: str
    validation: str
    immediate_safety_step: str
    one_question: str


_BY_LEVEL: dict[RiskLevel, _Words] = {
    "moderate": _Words(
        "I am glad that you told me.",
        "What you carry is heavy, and it makes sense that you are worn out.",
        "Please stay near somebody you trust today, and put away what you could hurt yourself with.",
        "Are you safe for now?",
    ),
    "high": _Words(
        "Thank you for saying it. I take it seriously.",
        "So much pain makes it hard to see a way, and you need not bear it alone.",
        "Please go to a person now, and move away from anything that you could use to hurt yourself.",
        "Who could be with you within the next hour?",
    ),
    "imminent": _Words(
        "I am here, and your safety comes first now.",
        "That you are still talking to me matters.",
        "Please call your local emergency number now, or go to the nearest emergency room, and do not stay alone.",
        "Can you make that call right now?",
    ),
}
AVOID = (
    "Do not promise to keep it secret.",
    "Do not argue, judge, or tell them what they have to live for.",
    "Do not leave the subject, and do not offer an exercise instead of help.",
    "Do not name a help line or a number that was not looked up in this turn.",
    "Do not ask about methods in detail, and do not diagnose.",
)
_NOT_LOOKED_UP = "Tell me which country you are in, and I will look up a line that you can call."
_BY_STATUS = {
    "location_refused": "You need not say where you are; somebody close to you, or a doctor, can help you to a line.",
    "no_verified_results": "I have no verified line for where you are; a doctor or a hospital near you can help.",
    "lookup_error": "I cannot look up lines right now; a doctor or a hospital near you can help.",
}


def support(level: RiskLevel, lookup: Lookup) -> dict[str, Any]:
    words = _BY_LEVEL[level]
    guidance = _guidance(lookup)
    spoken = (words.opening, words.validation, words.immediate_safety_step, guidance, words.one_question)
    return {
        **words._asdict(),
        "resource_guidance": guidance,
        "avoid": list(AVOID),
        "response_text": " ".join(spoken),
        "risk_level": level,
        "inferred_location": lookup.location,
        "resource_lookup_status": lookup.status,
    }


def _guidance(lookup: Lookup) -> str:
    if lookup.resources:
        line = lookup.resources[0]  # one is enough to dial
        return f"In {spoken(lookup.location or '')} you can call {line.name}, phone {line.phone}."
    return _BY_STATUS.get(lookup.status, _NOT_LOOKED_UP)
