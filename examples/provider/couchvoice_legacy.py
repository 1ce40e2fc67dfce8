"""A provider of one's own: servers that mint secrets as OpenAI's beta did, and take G.711.

It is a class, the schema of its settings, and the entry point in pyproject.toml. What its clients must do otherwise
(the header of the secret, the codec) is in its Place: they learn it from the session reply. Try it:

    couchvoice serve realtime --beta
    pip install ./examples/provider
    COUCHVOICE_ENDPOINT_LEGACY_API_KEY=any couchvoice talk --provider legacy
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from couchvoice.backend.providers import ClientSecret, Failure, Place, ProviderSetup
from couchvoice.private import Private


class LegacySettings(BaseModel):
    """As ``[endpoints.legacy]`` in the settings file, or COUCHVOICE_ENDPOINT_LEGACY_BASE_URL, …"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = "http://127.0.0.1:8766/v1"
    codec: Literal["opus", "pcmu", "pcma"] = "pcmu"


class LegacyProvider:
    Settings = LegacySettings

    def __init__(self, setup: ProviderSetup[LegacySettings]) -> None:
        base = setup.settings.base_url.rstrip("/")
        self.name = setup.name
        self.place = Place(
            calls_url=f"{base}/realtime/calls", secret_header="api-key", audio_codec=setup.settings.codec
        )
        self._sessions_url = f"{base}/realtime/sessions"
        self._credential = setup.credential
        self._upstream = setup.upstream

    async def mint(self, session_config: Mapping[str, Any], *, safety_identifier: str) -> ClientSecret:
        """The beta knew no ``expires_after``, and had the config flat."""
        sound = session_config["audio"]
        flat = {
            "model": session_config["model"],
            "instructions": session_config.get("instructions", ""),
            "tools": session_config.get("tools", []),
            "voice": sound["output"]["voice"],
            "input_audio_transcription": sound["input"]["transcription"],
            "turn_detection": sound["input"]["turn_detection"],
        }
        # Upstream sends to this URL only, within bounds, and turns what fails on the way into ProviderFailed.
        reply = await self._upstream.post(self._sessions_url, headers=await self._headers(), json=flat)
        if not reply.ok:
            raise self._upstream.failed(Failure.ERROR, f"answered {reply.status}")
        try:
            secret = json.loads(reply.body)["client_secret"]
            return ClientSecret(Private(secret["value"]), float(secret["expires_at"]))
        except (ValueError, LookupError, TypeError) as exc:
            raise self._upstream.failed(Failure.ERROR, "sent no usable secret") from exc

    async def answer(self, offer: str, session_config: Mapping[str, Any], *, safety_identifier: str) -> str:
        secret = await self.mint(session_config, safety_identifier=safety_identifier)
        headers = {self.place.secret_header: secret.value.reveal(), "Content-Type": "application/sdp"}
        reply = await self._upstream.post(self.place.calls_url, headers=headers, content=offer.encode())
        if not reply.ok or not reply.body:
            raise self._upstream.failed(Failure.ERROR, f"answered the offer with {reply.status}")
        return reply.body.decode()

    async def close(self) -> None:
        await self._upstream.close()

    async def _headers(self) -> dict[str, str]:
        key = await self._credential.key()
        if not key:
            raise self._upstream.failed(Failure.NO_KEY, "has no API key")
        return {"api-key": key.reveal()}
