"""Azure OpenAI: OpenAI's Realtime API at a resource of one's own, where a model is a deployment.

Law: GA only, hence no api-version; the data channel is never filtered (``webrtcfilter``), for the client runs tools.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from couchvoice.backend.providers.kind import ProviderSetup
from couchvoice.backend.providers.provider import AUTHORIZATION, ClientSecret, Place
from couchvoice.backend.providers.realtime_api import RealtimeApi

DEFAULT_DEPLOYMENT = "gpt-realtime"
KEY_HEADER = "api-key"

_API_PATH = "/openai/v1"
# What Azure shows behind the host: the API, a project, the models of either.
_KNOWN_PATHS = re.compile(r"(/api/projects/[^/]+)?(/openai(/v1)?)?(/models)?/*\Z")


class AzureSettings(BaseModel):
    """``base_url``: of the resource or of the project, as Azure shows it.

    ``auth``: how the key is sent. None: a token that a command prints as a Bearer, any other key as api-key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str
    deployment: str = Field(default=DEFAULT_DEPLOYMENT, min_length=1)
    auth: Literal["api-key", "bearer"] | None = None


class AzureProvider:
    Settings = AzureSettings

    def __init__(self, setup: ProviderSetup[AzureSettings]) -> None:
        settings = setup.settings
        bearer = setup.credential.from_command if settings.auth is None else settings.auth == "bearer"
        self.name = setup.name
        self._api = RealtimeApi(
            api_base(settings.base_url),
            setup.credential,
            setup.upstream,
            key_header=AUTHORIZATION if bearer else KEY_HEADER,
            model=settings.deployment,
            secret_lifetime=setup.secret_lifetime,
        )

    @property
    def place(self) -> Place:
        return self._api.place

    async def mint(self, session_config: Mapping[str, Any], *, safety_identifier: str) -> ClientSecret:
        return await self._api.mint(session_config, safety_identifier=safety_identifier)

    async def answer(self, offer: str, session_config: Mapping[str, Any], *, safety_identifier: str) -> str:
        return await self._api.answer(offer, session_config, safety_identifier=safety_identifier)

    async def close(self) -> None:
        await self._api.close()


def api_base(endpoint: str) -> str:
    """``https://RES.openai.azure.com/openai/v1`` for the endpoint of a resource, a project or its models."""
    return _KNOWN_PATHS.sub("", endpoint.strip()) + _API_PATH
