"""The door: without a token nothing answers, and the owner is the one of the token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from couchvoice.backend.guard import PUBLIC_PATHS, Caller
from couchvoice.backend.guards import Guards
from tests.backend.ends import BackendEnd, Names, error_code, running_backend


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state", guards=Guards(authentication=Names())) as end:
        yield end


def every_route(app: FastAPI) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods]


async def test_without_a_token_only_the_public_paths_answer(guarded: BackendEnd) -> None:
    routes = [*every_route(guarded.app), ("GET", "/nowhere"), ("POST", "/api/")]
    assert len(routes) > 5
    for method, path in routes:
        response = await guarded.http.request(method, path, json={})
        if path in PUBLIC_PATHS:
            assert response.status_code == 200
        else:
            assert (response.status_code, error_code(response)) == (401, "token_missing"), path
            assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "credentials",
    ["Basic YTpi", "ada", "Bearer", "Bearer ", "bearer 1", "Bearer ada lovelace", "Digest ada", "Bearer\tada"],
)
async def test_what_is_no_good_token_is_refused_with_a_challenge(guarded: BackendEnd, credentials: str) -> None:
    guarded.http.headers["Authorization"] = credentials
    response = await guarded.session()
    assert (response.status_code, error_code(response)) == (401, "token_invalid")
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert guarded.provider.requests == []


async def test_two_tokens_are_as_good_as_none(guarded: BackendEnd) -> None:
    response = await guarded.http.get("/x", headers=[("Authorization", "Bearer ada"), ("Authorization", "Bearer bob")])
    assert response.status_code == 401


async def test_the_user_is_the_one_of_the_token(guarded: BackendEnd) -> None:
    guarded.http.headers["Authorization"] = "Bearer ada"
    assert (await guarded.session("t1")).json()["user_id"] == "ada"
    assert (await guarded.session("t1", user_id="ada")).json()["user_id"] == "ada"
    response = await guarded.session("t1", user_id="bob")
    assert (response.status_code, error_code(response)) == (403, "user_mismatch")


def test_with_authentication_off_the_caller_is_believed() -> None:
    caller = Caller(None, "127.0.0.1")
    assert caller.user("ada") == "ada"
    assert caller.owner(user_id=None, thread_id="t1") == "t1"
    assert caller.owner(user_id="ada", thread_id="t1") == "ada"
