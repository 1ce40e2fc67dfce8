"""What a worker is asked for: one scenario, and how it is to be held. A line of JSON."""

from __future__ import annotations

import msgspec


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """``file`` and ``name`` say which scenario. ``settings`` are options as for load_settings.

    ``talk``: where the record of the talk is kept; None: nowhere. ``record``: where its cassette is kept;
    ``replay``: the one that answers. ``folder``: where its files are while it is held; None: where the system has such.
    """

    file: str
    name: str
    settings: dict[str, str | None] = {}
    speed: float | None = None
    talk: str | None = None
    record: str | None = None
    replay: str | None = None
    folder: str | None = None
