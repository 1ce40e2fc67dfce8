"""How the assistant is kept from hearing itself: the names.

    policy       needs                       can a person interrupt by voice?
    aec          livekit, two sound cards    yes
    duck         two sound cards             yes, by speaking clearly louder than the echo
    half-duplex  two sound cards             no: a typed line does
    none         headphones, or no card      yes

Law: nothing is imported here, so that ``--help`` can list them.
"""

from __future__ import annotations

import enum


class EchoPolicy(enum.StrEnum):
    """The values are the words of the command line."""

    AUTO = "auto"  # choose_policy decides
    AEC = "aec"  # echo cancellation
    DUCK = "duck"  # the microphone passes only who is louder than the echo
    HALF_DUPLEX = "half-duplex"  # the microphone is closed while the assistant can be heard
    NONE = "none"
