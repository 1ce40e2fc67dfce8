"""Who may call a server of ours that others can reach, if the settings say so.

Law: data only; the backend checks it (guards.py) before it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from couchvoice.private import Private


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """Who may call a backend that others can reach, and how often. The backend checks it.

    ``auth`` is none or jwt: then with ``jwt_key`` (HS256), or with the keys at ``jwks_url`` of ``jwt_issuer``
    (``jwt_algorithm`` RS256 or ES256). ``allow_origin`` and ``allow_host`` may name several, with spaces between.
    The rates are numbers a minute for each user.
    """

    auth: str = "none"
    jwt_key: Private | None = None
    jwks_url: str | None = None
    jwt_algorithm: str | None = None
    jwt_audience: str = "couchvoice"
    jwt_issuer: str | None = None
    admin_token: Private | None = None  # the operators' own credential
    allow_origin: str = ""
    allow_host: str = ""
    session_rate: int = 10
    tool_rate: int = 60
    certificate: Path | None = None  # of TLS, with its chain
    certificate_key: Path | None = None
