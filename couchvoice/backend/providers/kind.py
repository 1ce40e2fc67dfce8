"""How a provider is made: a class, the schema of its settings, and what the backend hands it.

A package adds one of its own by an entry point of the group ``couchvoice.providers``, whose name is the provider's and
whose value is the class. Law: a class gets its settings checked, and never sees the other endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from couchvoice.backend.providers.credential import Credential
from couchvoice.backend.providers.provider import Provider
from couchvoice.backend.providers.upstream import Upstream

Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSetup(Generic[Schema]):
    """``name``: the endpoint's. ``secret_lifetime``: seconds for which a secret is to be good."""

    name: str
    settings: Schema
    credential: Credential
    upstream: Upstream
    secret_lifetime: int


class ProviderKind(Protocol):
    """A class that takes a ProviderSetup with its own Settings."""

    @property
    def Settings(self) -> type[BaseModel]: ...

    def __call__(self, setup: ProviderSetup[BaseModel], /) -> Provider: ...
