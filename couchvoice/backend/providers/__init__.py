"""Providers: who holds the talks, how secrets are minted there, and where the keys for that come from.

What a package needs to add one of its own is here; kind.py says how.
"""

from couchvoice.backend.providers.credential import Credential
from couchvoice.backend.providers.kind import ProviderKind, ProviderSetup
from couchvoice.backend.providers.openai import OpenAIProvider, OpenAISettings
from couchvoice.backend.providers.provider import AUTHORIZATION, ClientSecret, Failure, Place, Provider, ProviderFailed
from couchvoice.backend.providers.realtime_api import RealtimeApi
from couchvoice.backend.providers.upstream import Upstream, UpstreamReply

__all__ = [
    "AUTHORIZATION",
    "ClientSecret",
    "Credential",
    "Failure",
    "OpenAIProvider",
    "OpenAISettings",
    "Place",
    "Provider",
    "ProviderFailed",
    "ProviderKind",
    "ProviderSetup",
    "RealtimeApi",
    "Upstream",
    "UpstreamReply",
]
