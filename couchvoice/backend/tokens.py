"""Bearer tokens: whether a JWT is one of ours, and whom it names.

Not where its key comes from (signing_keys.py). Law: one algorithm, which the operator pinned, whatever the token's
head says; a token without an end, a beginning, an audience or a subject is none (RFC 8725 §3); nothing of a token is
repeated, not even in a refusal.
"""

from __future__ import annotations

import base64
import json
import re
from http import HTTPStatus
from typing import Any

import jwt
from jwt.exceptions import InvalidSubjectError

from couchvoice.backend.refusals import Refused
from couchvoice.backend.signing_keys import SigningKeys

LEEWAY = 30  # seconds that two clocks may differ
MAX_TOKEN = 8 * 1024  # characters: what a header may hold anywhere
MAX_SUBJECT = 200  # characters, as many as a thread's id

# RFC 7515 §7.1: BASE64URL(header) "." BASE64URL(payload) "." BASE64URL(signature), without padding.
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_REQUIRED = ("exp", "iat", "aud", "sub")
_TIMES = ("exp", "iat", "nbf")


class JwtAuthentication:
    """``issuer`` None: whoever holds the key may issue. Implements Authentication of guard.py."""

    def __init__(self, keys: SigningKeys, *, audience: str, issuer: str | None = None) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer

    async def subject(self, token: str) -> str:
        """The claim ``sub``. Raises Refused: 401, or 503 when the keys cannot be had."""
        if len(token) > MAX_TOKEN:
            raise _invalid("it is too long")
        head, claims = _parts(token)
        # RFC 7515 §4.1.11: who does not understand an extension named in crit must refuse. We understand none.
        if head.get("alg") != self._keys.algorithm or "crit" in head:
            raise _invalid(f"it must be signed with {self._keys.algorithm} and name no extension")
        if any(name in claims and not _is_time(claims[name]) for name in _TIMES):
            raise _invalid("its times are no numbers")
        key = await self._keys.find(head.get("kid"))
        try:
            jwt.decode(
                token,
                key,
                algorithms=[self._keys.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": [*_REQUIRED, *(["iss"] if self._issuer else [])]},
            )
        except jwt.ExpiredSignatureError:
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_expired", "the token has expired: get a new one") from None
        except (jwt.PyJWTError, ValueError, OverflowError) as exc:
            raise _invalid(_REASONS.get(type(exc), "it cannot be verified")) from None
        return _checked_subject(claims["sub"])

    async def close(self) -> None:
        await self._keys.close()


_REASONS: dict[type[Exception], str] = {
    jwt.InvalidSignatureError: "its signature is wrong",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidIssuedAtError: "it was issued at no time",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is of another issuer",
    InvalidSubjectError: "its subject is no text",
    jwt.MissingRequiredClaimError: "a claim is missing: it needs exp, iat, aud and sub, and iss where one is expected",
}


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Head and claims, before anything is verified."""
    found = _COMPACT.fullmatch(token)
    try:
        if found:
            return _object(found[1]), _object(found[2])
    except (ValueError, RecursionError):
        pass  # as for what has not even the shape
    raise _invalid("it is no JWT")


def _object(segment: str) -> dict[str, Any]:
    text = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    found = json.loads(text, object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 7519 §4: "the JWT parser MUST either reject JWTs with duplicate Claim Names or use … the lexically last".
    # Whoever stands before us may take the first: only refusing is safe.
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1 << 53  # type: ignore[arg-type]  # a number, by its type


def _checked_subject(subject: str) -> str:
    # It becomes a key of the database and a word of the log.
    if not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable() or not subject.strip():
        raise _invalid(f"its subject must be 1 to {MAX_SUBJECT} characters that can be printed")
    return subject


def _invalid(why: str) -> Refused:
    return Refused(HTTPStatus.UNAUTHORIZED, "token_invalid", f"the token is refused: {why}")
