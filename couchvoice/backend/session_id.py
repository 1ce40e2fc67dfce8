"""The id of a session: ``rtc_<owner hash>_<token>``.

Law: it names nobody, and nobody guesses it: the owner is a hash, and the token has 128 random bits. It opens nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_TOKEN_BYTES = 16
_OWNER_DIGITS = 12  # hex digits of the owner's hash: enough to tell owners apart in a list, not to name them

_FORM = re.compile(r"rtc_[0-9a-f]{12}_[0-9a-f]{32}")


def new_session_id(owner: str) -> str:
    return f"rtc_{owner_hash(owner)[:_OWNER_DIGITS]}_{secrets.token_hex(_TOKEN_BYTES)}"


def is_session_id(text: str) -> bool:
    """Has it the form of one? Whether there is such a session is another question."""
    return _FORM.fullmatch(text) is not None


def owner_hash(owner: str) -> str:
    """What stands for an owner outside the backend: SHA-256, hex."""
    return hashlib.sha256(owner.encode()).hexdigest()
