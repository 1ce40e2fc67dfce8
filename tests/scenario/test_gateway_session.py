"""The secret of a gateway: what its payload must have, and what is said of one that lacks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from couchvoice.client.endpoints import Endpoints
from couchvoice.embedded import embedded_ends
from couchvoice.errors import BackendError
from couchvoice.private import Private
from couchvoice.scenario.gateway_session import PATH, gateway_session
from couchvoice.settings import Settings

pytestmark = pytest.mark.row("L7")

SECRET = {"value": "ek_1", "expires_at": 1.0}
SESSION = {
    "client_secret": SECRET,
    "model": "m",
    "voice": "cedar",
    "modalities": ["audio"],
    "calls_url": "http://localhost/v1/realtime/calls",
}
PAYLOAD = {"enabled": True, "session": SESSION}


def gateway(payload: Any, seen: list[Any]) -> Endpoints:
    async def answer(request: Request) -> JSONResponse:
        seen.append((await request.json(), request.headers.get("authorization")))
        return JSONResponse(payload)

    return Endpoints(
        backend_url="http://localhost", backend_app=Starlette(routes=[Route(PATH, answer, methods=["POST"])])
    )


async def test_the_payload_becomes_a_session() -> None:
    seen: list[Any] = []
    ends = replace(gateway(PAYLOAD, seen), token=Private("jwt"))
    reply = await gateway_session(ends, voice="cedar")
    assert (reply.client_secret, reply.calls_url, reply.session_token) == ("ek_1", SESSION["calls_url"], None)
    assert seen == [({"voice": "cedar"}, "Bearer jwt")]


@pytest.mark.parametrize(
    "payload",
    [
        {**PAYLOAD, "enabled": False},
        {"session": SESSION},
        {"enabled": True},
        *({**PAYLOAD, "session": {key: value for key, value in SESSION.items() if key != gone}} for gone in SESSION),
        {**PAYLOAD, "session": {**SESSION, "client_secret": {**SECRET, "value": ""}}},
        {**PAYLOAD, "session": {**SESSION, "client_secret": "ek_1"}},
    ],
)
async def test_a_payload_that_is_none_opens_no_session(payload: Any) -> None:
    with pytest.raises(BackendError, match="not what /realtime_session promises"):
        await gateway_session(gateway(payload, []), voice=None)


async def test_a_gateway_that_is_switched_off_says_so(tmp_path: Path) -> None:
    async with embedded_ends(Settings(state_dir=tmp_path, realtime_enabled=False), phrases=False) as ends:
        with pytest.raises(BackendError) as refused:
            await gateway_session(Endpoints(**ends._asdict()), voice=None)
    assert (refused.value.status, refused.value.code) == (503, "realtime_unavailable")
