"""Which pages may call the backend: none that nobody named, and of the others exactly those (CORS)."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from couchvoice.backend import guards_from
from couchvoice.backend.guard import PUBLIC_PATHS
from couchvoice.backend.guards import Guards
from couchvoice.contract import SESSION_PATH, SESSION_TOKEN_HEADER
from couchvoice.settings import load_settings
from tests.backend.ends import BackendEnd, error_code, running_backend

NAMED = ("https://app.example.org", "http://kiosk.local:8080")
# Nobody's page, and what looks like a named one: another scheme, port, host or case.
FOREIGN = (
    "https://evil.example",
    "null",
    "",
    "*",
    "file://",
    "http://app.example.org",
    "wss://app.example.org",
    "https://app.example.org:8443",
    "https://app.example.org:443",  # a browser leaves out the port that the scheme implies
    "https://app.example.org.evil.example",
    "https://evil.example/https://app.example.org",
    "https://app.example.org@evil.example",
    "https://evil-app.example.org",
    "https://evilapp.example.org",
    "https://sub.app.example.org",
    "https://app.example.org/",
    "https://app.example.org evil.example",
    "https://app.example.org, https://evil.example",
    "https://APP.example.org",
    "https://appXexample.org",
    "http://kiosk.local",
    "http://kiosk.local:80801",
    "http://localhost",
    "http://localhost:8765",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
)
ALLOWED = "Access-Control-Allow-Origin"
ASKED = f"authorization, content-type, {SESSION_TOKEN_HEADER.lower()}"


def guards(**environ: str) -> Guards:
    """As ``couchvoice serve backend`` has them."""
    settings = load_settings(environ=environ | {"COUCHVOICE_CONFIG": os.devnull})
    return guards_from(settings.guard, database_url=settings.database)


async def preflights(backend: BackendEnd, origin: str) -> list[httpx.Response]:
    """Of every path and method."""
    answers = []
    for path, methods in backend.app.openapi()["paths"].items():
        for method in methods:
            asked = {"Access-Control-Request-Method": method.upper(), "Access-Control-Request-Headers": ASKED}
            answers.append(await backend.http.options(path, headers=asked | {"Origin": origin}))
    assert len(answers) > len(PUBLIC_PATHS)
    return answers


@pytest.mark.row("C9")
async def test_nobody_elses_page_may_call_by_default(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", guards=guards()) as backend:
        for origin in (*NAMED, *FOREIGN):
            for answer in await preflights(backend, origin):
                assert answer.status_code == 400, origin
                assert error_code(answer) == "cors_not_allowed"
                assert ALLOWED not in answer.headers, origin
        # What a browser sends without asking first is not done either.
        for origin in (*NAMED, *FOREIGN):
            sent = await backend.http.post(SESSION_PATH, json={"thread_id": "t1"}, headers={"Origin": origin})
            assert (sent.status_code, error_code(sent)) == (403, "origin_not_allowed"), origin
            assert ALLOWED not in sent.headers
        assert backend.provider.requests == []
        no_page = await backend.session("t1")
        assert no_page.status_code == 200
        assert ALLOWED not in no_page.headers


@pytest.mark.row("C9")
async def test_of_the_pages_exactly_the_named_ones_may_call(tmp_path: Path) -> None:
    named = guards(COUCHVOICE_ALLOW_ORIGIN=" ".join(NAMED))
    async with running_backend(tmp_path / "state", guards=named) as backend:
        for origin in NAMED:
            for answer in await preflights(backend, origin):
                assert (answer.status_code, answer.headers[ALLOWED]) == (200, origin)
                assert "Origin" in answer.headers["Vary"]  # a cache must not give one page's leave to another
                assert set(ASKED.split(", ")) <= set(answer.headers["Access-Control-Allow-Headers"].lower().split(", "))
            opened = await backend.http.post(SESSION_PATH, json={"thread_id": "t1"}, headers={"Origin": origin})
            assert (opened.status_code, opened.headers[ALLOWED]) == (200, origin)
            assert "Access-Control-Allow-Credentials" not in opened.headers
        made = len(backend.provider.requests)
        for origin in FOREIGN:
            assert not any(ALLOWED in answer.headers for answer in await preflights(backend, origin)), origin
            sent = await backend.http.post(SESSION_PATH, json={"thread_id": "t1"}, headers={"Origin": origin})
            assert (sent.status_code, error_code(sent)) == (403, "origin_not_allowed"), origin
            assert ALLOWED not in sent.headers
        assert len(backend.provider.requests) == made == len(NAMED)
