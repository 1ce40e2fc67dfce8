"""What the settings let the companion ask, besides what it knows by itself."""

from __future__ import annotations

from couchvoice.backend.crisis.desk import CrisisDesk
from couchvoice.backend.crisis.resources import Resource
from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.lookup.http_source import HttpSource
from couchvoice.backend.lookup.passage import Passage
from couchvoice.companion_settings import CompanionSettings


def configured_lookup(settings: CompanionSettings) -> GroundedLookup:
    """Raises ConfigError."""
    if settings.lookup_url is None:
        return GroundedLookup()
    return GroundedLookup([HttpSource("lookup", settings.lookup_url, Passage, key=settings.lookup_key)])


def configured_crisis_desk(settings: CompanionSettings) -> CrisisDesk:
    """Raises ConfigError."""
    if settings.crisis_lookup_url is None:
        return CrisisDesk()
    url, key = settings.crisis_lookup_url, settings.lookup_key
    return CrisisDesk(live=HttpSource("crisis_lookup", url, Resource, key=key))
