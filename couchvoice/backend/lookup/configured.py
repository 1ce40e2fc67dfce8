"""The sources that the settings name."""

from __future__ import annotations

from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.lookup.http_source import HttpSource
from couchvoice.backend.lookup.passage import Passage
from couchvoice.companion_settings import CompanionSettings


def configured_lookup(settings: CompanionSettings) -> GroundedLookup:
    """Raises ConfigError."""
    if settings.lookup_url is None:
        return GroundedLookup()
    return GroundedLookup([HttpSource("lookup", settings.lookup_url, Passage, key=settings.lookup_key)])
