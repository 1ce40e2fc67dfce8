"""Minting at a provider: what goes over the wire, and what of its failures comes back."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.responses import JSONResponse, PlainTextResponse, Response

from couchvoice.backend import SqlStore, create_app
from couchvoice.backend.providers import Failure, ProviderFailed
from couchvoice.errors import ConfigError
from tests.backend.ends import API_KEY, BackendEnd, ProviderEnd, error_code, openai_like

UPSTREAM_BODY = f"upstream says that {API_KEY} is bad"


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("upstream", "status", "code"),
    [
        (PlainTextResponse(UPSTREAM_BODY, 401), 502, "upstream_auth_failed"),
        (PlainTextResponse(UPSTREAM_BODY, 403), 502, "upstream_auth_failed"),
        (PlainTextResponse(UPSTREAM_BODY, 429), 502, "upstream_error"),
        (PlainTextResponse(UPSTREAM_BODY, 500), 502, "upstream_error"),
        (PlainTextResponse(UPSTREAM_BODY, 200), 502, "upstream_error"),
        (PlainTextResponse("", 307, {"location": "http://127.0.0.1:9999/elsewhere"}), 502, "upstream_error"),
        (JSONResponse({"value": "", "expires_at": 1}), 502, "upstream_error"),
        (JSONResponse({"value": "ek_1"}), 502, "upstream_error"),
        (JSONResponse(["ek_1"]), 502, "upstream_error"),
    ],
)
async def test_an_upstream_failure_is_named_by_kind_and_nothing_of_it_is_passed_on(
    backend: BackendEnd,
    caplog: pytest.LogCaptureFixture,
    upstream: Response,
    status: int,
    code: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    backend.provider.reply = upstream
    response = await backend.session()
    assert response.status_code == status
    assert error_code(response) == code
    for leak in (API_KEY, "upstream says"):
        assert leak not in response.text
        assert leak not in caplog.text


async def test_a_provider_that_cannot_be_reached_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        provider = openai_like("local", f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        with pytest.raises(ProviderFailed) as failed:
            await provider.mint({}, safety_identifier="0")
    assert failed.value.failure is Failure.UNREACHABLE
    await provider.close()


async def test_a_provider_without_a_key_is_not_asked() -> None:
    end = ProviderEnd()
    provider = openai_like("openai", key="", transport=httpx.ASGITransport(end.app))
    with pytest.raises(ProviderFailed) as failed:
        await provider.mint({}, safety_identifier="0")
    assert failed.value.failure is Failure.NO_KEY
    assert not end.requests
    await provider.close()


def test_the_urls_are_made_from_the_base() -> None:
    place = openai_like("openai", "https://api.openai.com/v1/").place
    assert place.calls_url == "https://api.openai.com/v1/realtime/calls"
    assert place.ws_url == "wss://api.openai.com/v1/realtime"


def test_a_key_is_never_sent_in_the_clear_beyond_this_machine() -> None:
    with pytest.raises(ConfigError, match="use https"):
        openai_like("openai", "http://provider.example/v1")


def test_a_key_that_no_header_can_hold_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        openai_like("openai", key=f"{API_KEY}\n")
    assert API_KEY not in str(refused.value)


@pytest.mark.row("C3")
async def test_the_key_is_in_no_reply_and_in_no_log_over_real_sockets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    end = ProviderEnd()
    server = uvicorn.Server(uvicorn.Config(end.app, port=0, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]), name="provider-end")
        provider = openai_like("local", f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        app = create_app(store=SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'backend.db'}"), provider=provider)
        async with app.router.lifespan_context(app):
            backend = BackendEnd(app, end, tmp_path)
            async with backend.http:
                granted = await backend.session()
                end.reply = PlainTextResponse(UPSTREAM_BODY, 401)
                refused = await backend.session()
        server.should_exit = True
        await serving
    assert (granted.status_code, refused.status_code) == (200, 502)
    assert [headers["authorization"] for headers, _ in end.requests] == [f"Bearer {API_KEY}"] * 2
    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
    for text in (granted.text, str(granted.headers), refused.text, caplog.text):
        assert API_KEY not in text
    assert "ek_1" not in caplog.text
