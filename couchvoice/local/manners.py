"""How one session is served: for how long, in which dialect, and with what going wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass

from couchvoice.local.faults.faults import NONE, Faults
from couchvoice.local.server_options import CONNECT_TIMEOUT, SESSION_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """Times are in seconds; ``strict_lite`` as in strict_lite.py.

    ``number`` counts the sessions of a server: with the seed of the faults it makes their luck the same in each run.
    """

    lifetime: float = SESSION_LIMIT
    connect_timeout: float = CONNECT_TIMEOUT
    strict_lite: bool = False
    beta: bool = False
    faults: Faults = NONE
    number: int = 0
