"""A session whose secret comes from a gateway's ``POST /realtime_session``, not from the first of the four endpoints.

It has no instructions and no tools. Law: what is not the payload that gateways promise opens no session.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from couchvoice.client.endpoints import Endpoints
from couchvoice.client.exchange import exchange
from couchvoice.contract import SessionReply
from couchvoice.transports.http import HttpClient

PATH = "/realtime_session"
TIMEOUT = 15.0  # seconds

_Text = Annotated[str, Field(min_length=1)]


class _Secret(BaseModel):
    value: _Text
    expires_at: float


class _Session(BaseModel):
    client_secret: _Secret
    model: _Text
    voice: _Text
    modalities: list[_Text]
    calls_url: _Text
    secret_header: str | None = None
    audio_codec: str | None = None
    provider: str | None = None


class _Payload(BaseModel):
    enabled: Literal[True]
    session: _Session


async def gateway_session(endpoints: Endpoints, *, voice: str | None) -> SessionReply:
    """Raises BackendError."""
    body = json.dumps({} if voice is None else {"voice": voice}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if endpoints.token is not None:
        headers["Authorization"] = f"Bearer {endpoints.token.reveal()}"
    url = endpoints.backend_url.rstrip("/")
    async with HttpClient(url, app=endpoints.backend_app) as http:
        payload = await exchange(http, "POST", url, PATH, body, headers, _Payload, within=TIMEOUT)
    session = payload.session
    return SessionReply(
        client_secret=session.client_secret.value,
        expires_at=session.client_secret.expires_at,
        session_config={"model": session.model, "audio": {"output": {"voice": session.voice}}},
        calls_url=session.calls_url,
        secret_header=session.secret_header,
        audio_codec=session.audio_codec,
        provider=session.provider,
    )
