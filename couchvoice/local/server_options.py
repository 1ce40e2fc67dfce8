"""How a local server serves, as its owner says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECT_TIMEOUT = 30.0  # seconds from the answer to an open channel; then nobody is coming
SESSION_LIMIT = 3600  # seconds; OpenAI: "maximum duration of 60 minutes"
MAX_SESSIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """``api_key`` None: any key will do. ``strict_lite``: see strict_lite.py. ``session_limit`` in seconds.

    ``max_sessions``: calls and WebSocket sessions together. ``single_use_secrets``: a client secret opens one session.
    ``allowed_origins``: browser pages that may call besides those of this machine; "*" for any.
    ``allowed_hosts``: the names under which the server may be called; empty: any.
    ``beta``: the paths and names of the beta protocol, too. ``faults``: see fault_script.py.
    """

    api_key: str | None = None
    strict_lite: bool = False
    connect_timeout: float = CONNECT_TIMEOUT
    session_limit: float = SESSION_LIMIT
    max_sessions: int = MAX_SESSIONS
    single_use_secrets: bool = False
    allowed_origins: Sequence[str] = ()
    allowed_hosts: Sequence[str] = ()
    beta: bool = False
    faults: Path | None = None
