"""With authentication on: a session's calls need its token, and another user's thread is as one that is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from couchvoice.backend.guards import Guards
from couchvoice.contract import CONFIG_PATH, END_PATH, SESSION_PATH, SESSION_TOKEN_HEADER, TOOLS_PATH, TURN_PATH
from tests.backend.ends import BackendEnd, Names, error_code, running_backend

CALLS: list[tuple[str, dict[str, Any]]] = [
    (TOOLS_PATH, {"tool_name": "wait_for_user"}),
    (TURN_PATH, {"user_text": "hello"}),
    (END_PATH, {}),
    (CONFIG_PATH, {"voice": "sage"}),
]


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state", guards=Guards(authentication=Names())) as end:
        yield end


class User:
    def __init__(self, backend: BackendEnd, name: str, memory_mode: str) -> None:
        self._backend = backend
        self._mode = {"memory_mode": memory_mode}
        self.bearer = {"Authorization": f"Bearer {name}"}

    async def open(self, thread_id: str) -> httpx.Response:
        return await self._post(SESSION_PATH, {"thread_id": thread_id, **self._mode})

    async def token(self, thread_id: str) -> str:
        return str((await self.open(thread_id)).json()["session_token"])

    async def outcomes(self, thread_id: str, token: str | None) -> set[tuple[int, str | None]]:
        """Of every call that belongs to a session."""
        found = set()
        for path, fields in CALLS:
            mode = {} if path == CONFIG_PATH else self._mode
            response = await self._post(path, {"thread_id": thread_id, **fields, **mode}, token)
            found.add((response.status_code, error_code(response) if response.is_error else None))
        return found

    async def _post(self, path: str, body: dict[str, Any], token: str | None = None) -> httpx.Response:
        headers = self.bearer | ({SESSION_TOKEN_HEADER: token} if token else {})
        return await self._backend.http.post(path, json=body, headers=headers)


GONE = {(404, "thread_not_found")}
WRONG = {(403, "wrong_session_token")}


@pytest.mark.row("C4", "C12")
@pytest.mark.parametrize("memory_mode", ["incognito", "persistent"])
async def test_a_session_answers_to_its_own_token_and_user_only(guarded: BackendEnd, memory_mode: str) -> None:
    ada, bob = (User(guarded, name, memory_mode) for name in ("ada", "bob"))
    one, other, bobs = await ada.token("one"), await ada.token("other"), await bob.token("bobs")
    assert await ada.outcomes("one", one) == {(200, None)}
    assert await ada.outcomes("one", None) == {(403, "session_token_missing")}
    for wrong in (other, bobs, "made-up"):
        assert await ada.outcomes("one", wrong) == WRONG
    # To bob, ada's thread is as one that is not there, whatever he holds.
    assert (await bob.open("one")).status_code == 404
    for thread in ("one", "never opened"):
        for token in (None, one, bobs, "made-up"):
            assert await bob.outcomes(thread, token) == GONE
    assert await bob.outcomes("bobs", one) == WRONG
    assert await ada.outcomes("one", one) == {(200, None)}


@pytest.mark.row("C4")
async def test_a_kept_thread_stays_its_owners_when_its_session_is_forgotten(tmp_path: Path) -> None:
    guards = Guards(authentication=Names())
    async with running_backend(tmp_path / "state", guards=guards) as backend:
        token = await User(backend, "ada", "persistent").token("kept")
    async with running_backend(tmp_path / "state", guards=guards) as backend:
        ada, bob = (User(backend, name, "persistent") for name in ("ada", "bob"))
        assert (await bob.open("kept")).status_code == 404
        assert await bob.outcomes("kept", token) == GONE
        assert await ada.outcomes("kept", token) == {(200, None)}
        for path in ("history", "status"):
            url = f"/api/threads/kept/{path}"
            assert (await backend.http.get(url, headers=bob.bearer)).status_code == 404
            assert (await backend.http.get(url, headers=ada.bearer)).status_code == 200


async def test_the_user_in_a_body_must_be_the_one_of_the_token(guarded: BackendEnd) -> None:
    token = await User(guarded, "ada", "incognito").token("one")
    guarded.http.headers["Authorization"] = "Bearer ada"
    assert (await guarded.turn("one", token=token, user_text="hello", user_id="ada")).status_code == 200
    refused = await guarded.turn("one", token=token, user_text="hello", user_id="bob")
    assert (refused.status_code, error_code(refused)) == (403, "user_mismatch")
