"""What stands before the routes of a backend that others can reach, from the settings. Without it: nothing.

Not for a backend inside the process of its only caller. Law: what cannot guard as it was told to does not start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from couchvoice.backend.guard import Authentication
from couchvoice.backend.limits import Limits
from couchvoice.backend.rate_book import MemoryRateBook, RateBook
from couchvoice.backend.signing_keys import KEY_SET_ALGORITHMS, SHARED_KEY_ALGORITHM, KeySet, SharedKey, SigningKeys
from couchvoice.backend.sql_rate_book import SqlRateBook
from couchvoice.backend.tokens import JwtAuthentication
from couchvoice.errors import ConfigError
from couchvoice.guard_settings import GuardSettings
from couchvoice.private import Private

MIN_ADMIN_TOKEN = 32  # characters: nobody shall guess it
AUTH_KINDS = ("none", "jwt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """``authentication`` None: callers are believed; ``admin`` None: nothing is told to operators.

    ``origins``: pages that may call; ``hosts`` empty: any name.
    """

    authentication: Authentication | None = None
    admin: Private | None = None
    limits: Limits = field(default_factory=Limits)
    origins: Sequence[str] = ()
    hosts: Sequence[str] = ()

    async def close(self) -> None:
        await self.limits.close()
        if self.authentication is not None:
            await self.authentication.close()


def guards_from(settings: GuardSettings, *, database_url: str) -> Guards:
    """Raises ConfigError."""
    for name, number in (("session_rate", settings.session_rate), ("tool_rate", settings.tool_rate)):
        if number < 1:
            raise ConfigError(f"{name} is {number}: choose how many a user may have within a minute, 1 or more")
    return Guards(
        authentication=_authentication(settings),
        admin=_admin(settings),
        limits=Limits(_rate_book(database_url), sessions=settings.session_rate, tool_calls=settings.tool_rate),
        origins=settings.allow_origin.replace(",", " ").split(),
        hosts=settings.allow_host.replace(",", " ").split(),
    )


def _authentication(settings: GuardSettings) -> Authentication | None:
    if settings.auth not in AUTH_KINDS:
        raise ConfigError(f'auth is "{settings.auth}": choose one of {", ".join(AUTH_KINDS)}')
    if settings.auth == "none":
        return None
    if not settings.jwt_audience.strip():
        raise ConfigError("jwt_audience is empty: name what the claim aud of a token must say")
    return JwtAuthentication(_keys(settings), audience=settings.jwt_audience, issuer=settings.jwt_issuer or None)


def _keys(settings: GuardSettings) -> SigningKeys:
    algorithm = settings.jwt_algorithm
    if settings.jwks_url and settings.jwt_key:
        raise ConfigError("tokens are signed with a shared key or with an issuer's: set the JWT key or the JWKS URL")
    if settings.jwt_key:
        if algorithm not in (None, SHARED_KEY_ALGORITHM):
            raise ConfigError(f"a shared key signs with {SHARED_KEY_ALGORITHM}, not with {algorithm}")
        return SharedKey(settings.jwt_key)
    if settings.jwks_url:
        if not settings.jwt_issuer:
            # One key set may sign for many: those of some identity providers do for all their customers.
            raise ConfigError("a JWKS URL needs the issuer beside it: set COUCHVOICE_JWT_ISSUER")
        return KeySet(settings.jwks_url, algorithm=algorithm or KEY_SET_ALGORITHMS[0])
    raise ConfigError("tokens cannot be verified without a key: set COUCHVOICE_JWT_KEY or COUCHVOICE_JWKS_URL")


def _admin(settings: GuardSettings) -> Private | None:
    if settings.admin_token and len(settings.admin_token.reveal()) < MIN_ADMIN_TOKEN:
        raise ConfigError(f"the operators' credential is too short: it needs {MIN_ADMIN_TOKEN} characters or more")
    return settings.admin_token


def _rate_book(database_url: str) -> RateBook:
    """Several processes on one machine, or on several, share a PostgreSQL; a SQLite file has one."""
    return SqlRateBook(database_url) if database_url.startswith("postgresql") else MemoryRateBook()
