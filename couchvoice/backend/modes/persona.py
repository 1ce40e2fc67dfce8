"""A persona made from a seed: who the assistant is, in a few sentences.

Law: the same seed gives the same persona, on every machine and in every version: the traits are drawn by a hash, a list
is never changed, and a test knows one persona by heart.
"""

from __future__ import annotations

import hashlib

_TRAITS = {
    "name": ("Ada", "Bela", "Cleo", "Dilan", "Elif", "Finn", "Giulia", "Hana", "Ilya", "Juno", "Kai", "Lou"),
    "temper": ("calm", "cheerful", "thoughtful", "matter-of-fact", "gentle", "lively", "earnest", "dry-humoured"),
    "pace": ("slowly, with pauses", "unhurried", "briskly", "in short sentences", "softly", "evenly"),
    "liking": ("gardens", "old maps", "night trains", "bread", "birds", "rivers", "chess", "kites", "stars", "wool"),
    "habit": (
        "ask for an example before anything else",
        "name what went well before what did not",
        "say when you are not sure",
        "come back to the first thing that was said",
        "use pictures from everyday life",
        "keep silent for a moment before you answer",
    ),
}


def persona_from(seed: int | str) -> str:
    name, temper, pace, liking, habit = (_drawn(seed, trait) for trait in _TRAITS)
    return (
        f"Your name is {name}. You are {temper}, and you speak {pace}. You like {liking}, and mention it only when it "
        f"fits. You often {habit}. You say that you are a program whenever that matters."
    )


def _drawn(seed: int | str, trait: str) -> str:
    digest = hashlib.sha256(f"{seed} {trait}".encode()).digest()
    return _TRAITS[trait][int.from_bytes(digest) % len(_TRAITS[trait])]
