"""OpenAI, and whoever serves its Realtime API: our local server is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from couchvoice.backend.providers.kind import ProviderSetup
from couchvoice.backend.providers.provider import ClientSecret, Place
from couchvoice.backend.providers.realtime_api import RealtimeApi
from couchvoice.settings import REALTIME_BASE_URLS


class OpenAISettings(BaseModel):
    """``base_url`` as in ``https://api.openai.com/v1``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = REALTIME_BASE_URLS["openai"]


class OpenAIProvider:
    Settings = OpenAISettings

    def __init__(self, setup: ProviderSetup[OpenAISettings]) -> None:
        self.name = setup.name
        self._api = RealtimeApi(
            setup.settings.base_url, setup.credential, setup.upstream, secret_lifetime=setup.secret_lifetime
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
