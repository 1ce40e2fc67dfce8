"""What the settings let the companion ask, besides what it knows by itself."""

from __future__ import annotations

from couchvoice.backend.crisis.classifier import ModerationsClassifier
from couchvoice.backend.crisis.desk import CrisisDesk
from couchvoice.backend.crisis.resources import Resource
from couchvoice.backend.crisis.watch import CrisisWatch
from couchvoice.backend.lookup.grounded import GroundedLookup
from couchvoice.backend.lookup.http_source import HttpSource
from couchvoice.backend.lookup.passage import Passage
from couchvoice.backend.memory.chat_summarizer import ChatSummarizer
from couchvoice.backend.memory.digest import RulesSummarizer, Summarizer
from couchvoice.companion_settings import CompanionSettings
from couchvoice.errors import ConfigError


def configured_lookup(settings: CompanionSettings) -> GroundedLookup:
    """Raises ConfigError."""
    if settings.lookup_url is None:
        return GroundedLookup()
    return GroundedLookup([HttpSource("lookup", settings.lookup_url, Passage, key=settings.lookup_key)])


def configured_crisis_watch(settings: CompanionSettings) -> CrisisWatch:
    """Raises ConfigError."""
    live = None
    if settings.crisis_lookup_url is not None:
        live = HttpSource("crisis_lookup", settings.crisis_lookup_url, Resource, key=settings.lookup_key)
    classifier = None
    if settings.audit_url is not None:
        classifier = ModerationsClassifier(settings.audit_url, model=settings.audit_model, key=settings.audit_key)
    return CrisisWatch(CrisisDesk(live=live), classifier=classifier)


def configured_summarizer(settings: CompanionSettings) -> Summarizer:
    """Raises ConfigError."""
    if settings.summary_url is None:
        return RulesSummarizer()
    if not settings.summary_model:
        raise ConfigError("summary_url needs to know which model to ask: set COUCHVOICE_SUMMARY_MODEL")
    return ChatSummarizer(settings.summary_url, model=settings.summary_model, key=settings.summary_key)
