"""The id of a session: ``rtc_<owner hash>_<token>``; and what stands for an owner outside of the backend.

Law: an id names nobody, and nobody guesses it: the owner is a keyed hash (see pseudonyms.py), and the token has 128
random bits. It opens nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_TOKEN_BYTES = 16

_FORM = re.compile(r"rtc_[0-9a-f]{12}_[0-9a-f]{32}")


def new_session_id(pseudonym: str) -> str:
    return f"rtc_{pseudonym}_{secrets.token_hex(_TOKEN_BYTES)}"


def is_session_id(text: str) -> bool:
    """Has it the form of one? Whether there is such a session is another question."""
    return _FORM.fullmatch(text) is not None


def owner_hash(owner: str) -> str:
    """What the provider and the book of rates know of an owner: SHA-256, hex. Not for logs: there is no key in it."""
    return hashlib.sha256(owner.encode()).hexdigest()
